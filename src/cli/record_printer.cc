#include "cli/record_printer.h"

#include <fmt/core.h>

#include "cli/schemas.h"

namespace weir::cli {
namespace {

// Of record_columns().
constexpr std::size_t key_column = 4;
constexpr std::size_t value_column = 5;
constexpr std::size_t flush_above = 64U * 1024;

}  // namespace

Result<RecordPrinter> RecordPrinter::open(Context& context) {
  auto output = Output::open(context, record_columns());
  if (!output) return fail(output.error());
  RecordPrinter printer(context.console, std::move(*output));
  const std::string_view format = context.arguments.text("output");
  printer.lines_ = format == "value" || format == "key-value";
  for (const std::string_view option : {"columns", "filter", "sort"})
    if (context.arguments.given(option) && (printer.lines_ || format == "name"))
      return fail(Errc::usage, fmt::format("--{} is for tables, JSON and YAML", option));
  for (const std::string_view option : {"separator", "null"})
    if (context.arguments.given(option) && !printer.lines_)
      return fail(Errc::usage, fmt::format("--{} is for --output value and key-value", option));
  printer.style_.with_key = format == "key-value";
  auto separator = separator_from(context.arguments.text("separator"));
  if (!separator) return fail(separator.error());
  printer.style_.separator = std::move(*separator);
  if (context.arguments.given("null")) printer.style_.null_text = context.arguments.text("null");
  if (!printer.only_help() && context.arguments.given("registry")) {
    auto registry = connect_registry(context);
    if (!registry) return fail(registry.error());
    printer.schemas_.emplace(std::move(*registry));
  }
  return printer;
}

bool RecordPrinter::print(const RecordText& record) {
  if (output_.format() == Format::name && !lines_)
    return console_->out(fmt::format("{}-{}@{}\n", record.topic, record.partition, record.offset));
  std::optional<json::Value> key;
  std::optional<json::Value> value;
  if (schemas_) {
    auto read_key = schemas_->read(record, true);
    auto read_value = schemas_->read(record, false);
    if (!read_key || !read_value) {
      failure_ = read_key ? read_value.error() : read_key.error();
      return false;
    }
    key = std::move(*read_key);
    value = std::move(*read_value);
  }
  if (lines_) {
    RecordText line = record;
    const std::string key_text = key ? to_cell(*key) : "";
    const std::string value_text = value ? to_cell(*value) : "";
    if (key) line.key = key_text;
    if (value) line.value = value_text;
    append_line(text_, style_, line);
    return text_.size() < flush_above || flush_text();
  }
  json::Array row = record_row(record, output_.format() == Format::table);
  if (key) row[key_column] = std::move(*key);
  if (value) row[value_column] = std::move(*value);
  return output_.row(std::move(row));
}

bool RecordPrinter::flush_text() {
  const bool read = console_->out(text_);
  text_.clear();
  return read;
}

}  // namespace weir::cli
