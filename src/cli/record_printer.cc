#include "cli/record_printer.h"

#include <fmt/core.h>

namespace weir::cli {
namespace {

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
  return printer;
}

bool RecordPrinter::print(const RecordText& record) {
  if (lines_) {
    append_line(text_, style_, record);
    return text_.size() < flush_above || flush_text();
  }
  if (output_.format() == Format::name)
    return console_->out(fmt::format("{}-{}@{}\n", record.topic, record.partition, record.offset));
  return output_.row(record_row(record, output_.format() == Format::table));
}

bool RecordPrinter::flush_text() {
  const bool read = console_->out(text_);
  text_.clear();
  return read;
}

}  // namespace weir::cli
