// Prints records in the form that was asked for: a table, JSON, or lines.
#pragma once

#include <cstddef>
#include <string>

#include "cli/output.h"
#include "cli/record_format.h"
#include "cli/schema_texts.h"

namespace weir::cli {

/// Of a command with --output, --separator, --null and --registry. Belongs to its command.
class RecordPrinter {
 public:
  static Result<RecordPrinter> open(Context& context);
  bool only_help() const { return output_.only_help(); }

  /// False once the reader has gone, so the other two; or if the registry failed.
  bool print(const RecordText& record);
  /// How a command ends whose record was not printed.
  Result<Exit> ended() const {
    if (failure_) return fail(*failure_);
    return Exit::ok;
  }
  /// What was printed is to be seen.
  bool show() { return (lines_ ? flush_text() : output_.show()) && console_->flush_out(); }
  bool end() { return lines_ ? flush_text() : output_.end(); }

 private:
  RecordPrinter(Console& console, Output output) : console_(&console), output_(std::move(output)) {}
  bool flush_text();

  Console* console_;
  Output output_;
  LineStyle style_;
  bool lines_ = false;
  std::string text_;
  std::optional<SchemaTexts> schemas_;
  std::optional<Error> failure_;
};

}  // namespace weir::cli
