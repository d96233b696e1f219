// Rows of data in the form that was asked for: a table for people, json, jsonl, yaml or names.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/filter.h"
#include "json/json.h"

namespace weir::cli {

enum class Format : std::uint8_t { table, json, jsonl, yaml, name };

/// The first column of a command is what `-o name` prints. Names and docs are part of the command's
/// contract: `-o help` prints them.
struct Column {
  std::string_view name;
  std::string_view doc;
  bool number = false;   // aligned to the right
  bool in_table = true;  // false: only where it is asked for by --columns, and in json and yaml
};

/// Takes rows as a command finds them. json, jsonl, yaml and names leave as they come; a table
/// waits for end(), which knows the widths. Belongs to its command.
class Output {
 public:
  /// From -o, --columns, --filter and --sort; usage for a column that is not there. `columns`
  /// outlives the output.
  /// `by_default`: if -o is not given.
  static Result<Output> open(Context& context, std::span<const Column> columns,
                             Format by_default = Format::table);

  /// A value for each column, in their order; a row that --filter does not want is forgotten, with
  /// --sort it waits for show() or end(). False once the reader has gone.
  bool row(json::Array values);
  /// Lets the rows so far be seen: of rows that come without an end, a table shows these with
  /// columns at least as wide as before.
  bool show();
  /// To be called once, after the last row.
  bool end();
  /// True if `-o help` was asked for: open() has printed the columns, there is nothing to do.
  bool only_help() const { return only_help_; }
  Format format() const { return format_; }
  /// How many came, of those that are wanted.
  std::size_t rows() const { return rows_; }

 private:
  Output(Console& console, std::span<const Column> columns) : console_(&console), all_(columns) {}
  void print_columns();
  bool print(json::Array values);
  bool print_sorted();

  Console* console_;
  std::span<const Column> all_;
  std::vector<std::size_t> shown_;  // indexes into all_
  Format format_ = Format::table;
  bool only_help_ = false;
  std::size_t rows_ = 0;
  std::size_t printed_ = 0;
  std::optional<Filter> filter_;
  RowOrder order_;
  std::vector<json::Array> sorted_;  // to be, and then printed
  std::vector<std::vector<std::string>> cells_;
  std::vector<std::size_t> widths_;  // of a table whose head was shown
};

/// Lines of a table: a head in capitals, columns two blanks apart. Where `screen` is a terminal,
/// the widest columns of text are cut until a line fits it.
std::string render_table(std::span<const Column> columns,
                         std::span<const std::vector<std::string>> rows, const Screen& screen);
/// A part of a table: the first, for which `widths` is empty, has the head. Keeps the widths, which
/// only grow.
std::string render_table_part(std::span<const Column> columns,
                              std::span<const std::vector<std::string>> rows, const Screen& screen,
                              std::vector<std::size_t>& widths);

/// YAML of a value, two blanks deeper for each level, beginning at `indent`.
std::string to_yaml(const json::Value& value, std::size_t indent = 0);

/// A cell of a table: text as it is (control characters escaped), null as "-", the rest as JSON.
std::string to_cell(const json::Value& value);

}  // namespace weir::cli
