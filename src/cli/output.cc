#include "cli/output.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "config/setting.h"
#include "config/suggest.h"

namespace weir::cli {
namespace {

constexpr std::size_t gap = 2;
/// A column of text is not cut below this, however narrow the terminal is.
constexpr std::size_t narrowest = 12;
constexpr std::size_t longest_cell = 4096;
/// Of rows without an end so many are sorted together.
constexpr std::size_t most_sorted = 1'000'000;
constexpr std::string_view ellipsis = "\xe2\x80\xa6";

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }

/// Characters of UTF-8 text, which is what a terminal shows a column each of, nearly always.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_character));
}

std::string cut_to(const std::string& text, std::size_t width) {
  if (width_of(text) <= width) return text;
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at)
    if (starts_character(text[at]) && ++seen == width) break;
  return text.substr(0, at) + std::string(ellipsis);
}

/// The widths with which the columns fit the screen, if that can be.
std::vector<std::size_t> fit(std::vector<std::size_t> widths, std::span<const Column> columns,
                             const Screen& screen) {
  if (!screen.is_terminal) return widths;
  const auto room = static_cast<std::size_t>(std::max(screen.columns, 1));
  const auto line = [&] {
    return std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
  };
  while (line() > room) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i)
      if (!columns[i].number && widths[i] > narrowest &&
          (widest == widths.size() || widths[i] > widths[widest]))
        widest = i;
    if (widest == widths.size()) break;
    widths[widest] -= std::min(line() - room, widths[widest] - narrowest);
  }
  return widths;
}

std::string head_of(std::string_view name) {
  std::string head;
  for (const char c : name)
    head += c == '_' ? '-' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return head;
}

bool plain_in_yaml(std::string_view text) {
  constexpr std::string_view words[] = {"true", "false", "null", "yes", "no",
                                        "on",   "off",   "y",    "n"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !letter(text.front())) return false;
  std::string lower;
  for (const char c : text) {
    if (!letter(c) && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.' && c != '/')
      return false;
    lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return std::ranges::find(words, lower) == std::end(words);
}

std::string yaml_text(std::string_view text) {
  if (plain_in_yaml(text)) return std::string(text);
  std::string quoted;
  json::write_string(quoted, text);  // JSON's strings are YAML's double-quoted ones
  return quoted;
}

bool is_block(const json::Value& value) {
  return (value.as_array() != nullptr && !value.as_array()->empty()) ||
         (value.as_object() != nullptr && !value.as_object()->empty());
}

}  // namespace

Result<Output> Output::open(Context& context, std::span<const Column> columns, Format by_default) {
  check(!columns.empty(), "a command's output has a column");
  Output output(context.console, columns);
  const std::string_view format = context.arguments.text("output");
  constexpr std::pair<std::string_view, Format> formats[] = {{"table", Format::table},
                                                             {"json", Format::json},
                                                             {"jsonl", Format::jsonl},
                                                             {"yaml", Format::yaml},
                                                             {"name", Format::name}};
  for (const auto& [name, value] : formats)
    if (name == format) output.format_ = value;
  if (!context.arguments.given("output")) output.format_ = by_default;
  std::vector<std::string_view> names;
  for (const Column& column : columns) names.push_back(column.name);
  for (const std::string& name : config::split_list(context.arguments.text("columns"))) {
    const auto at = std::ranges::find(names, name);
    if (at == names.end())
      return fail(Errc::usage,
                  fmt::format("--columns: no column {} (-o help lists them){}",
                              escape_for_log(name, 64), config::did_you_mean(name, names)));
    output.shown_.push_back(static_cast<std::size_t>(at - names.begin()));
  }
  if (output.shown_.empty())
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (output.format_ != Format::table || columns[i].in_table) output.shown_.push_back(i);
  if (context.arguments.given("filter")) {
    auto filter = Filter::parse(context.arguments.text("filter"), columns);
    if (!filter) return fail(filter.error());
    output.filter_ = std::move(*filter);
  }
  auto order = RowOrder::parse(context.arguments.text("sort"), columns);
  if (!order) return fail(order.error());
  output.order_ = std::move(*order);
  if (format == "help") output.print_columns();
  return output;
}

void Output::print_columns() {
  constexpr Column head[] = {{.name = "column", .doc = ""}, {.name = "meaning", .doc = ""}};
  std::vector<std::vector<std::string>> rows;
  for (const Column& column : all_)
    rows.push_back({std::string(column.name), std::string(column.doc)});
  console_->out(render_table(head, rows, console_->out_screen()));
  only_help_ = true;
}

bool Output::row(json::Array values) {
  check(values.size() == all_.size(), "a row has a value for each column");
  if (filter_ && !filter_->matches(values)) return true;
  ++rows_;
  if (order_.empty()) return print(std::move(values));
  sorted_.push_back(std::move(values));
  return sorted_.size() < most_sorted || print_sorted();
}

bool Output::print_sorted() {
  order_.sort(sorted_);
  for (json::Array& values : std::exchange(sorted_, {}))
    if (!print(std::move(values))) return false;
  return true;
}

bool Output::print(json::Array values) {
  ++printed_;
  if (format_ == Format::table) {
    std::vector<std::string> cells;
    for (const std::size_t i : shown_) cells.push_back(to_cell(values[i]));
    cells_.push_back(std::move(cells));
    return true;
  }
  if (format_ == Format::name) return console_->out(to_cell(values.front()) + "\n");
  json::Object object;
  for (const std::size_t i : shown_) object.append(std::string(all_[i].name), std::move(values[i]));
  const json::Value value(std::move(object));
  switch (format_) {
    case Format::json: return console_->out((printed_ == 1 ? "[\n" : ",\n") + json::write(value));
    case Format::yaml: return console_->out("- " + to_yaml(value, 2).substr(2));
    default: return console_->out(json::write(value) + "\n");
  }
}

bool Output::show() {
  if (!print_sorted()) return false;
  if (format_ != Format::table) return true;
  std::vector<Column> columns;
  for (const std::size_t i : shown_) columns.push_back(all_[i]);
  const bool read =
      console_->out(render_table_part(columns, cells_, console_->out_screen(), widths_));
  cells_.clear();
  return read;
}

bool Output::end() {
  if (!print_sorted()) return false;
  if (format_ == Format::json) return console_->out(printed_ == 0 ? "[]\n" : "\n]\n");
  if (format_ == Format::yaml && printed_ == 0) return console_->out("[]\n");
  return show();
}

std::string render_table(std::span<const Column> columns,
                         std::span<const std::vector<std::string>> rows, const Screen& screen) {
  std::vector<std::size_t> widths;
  return render_table_part(columns, rows, screen, widths);
}

std::string render_table_part(std::span<const Column> columns,
                              std::span<const std::vector<std::string>> rows, const Screen& screen,
                              std::vector<std::size_t>& widths) {
  const bool first = widths.empty();
  std::vector<std::string> head;
  for (const Column& column : columns) {
    head.push_back(head_of(column.name));
    if (first) widths.push_back(width_of(head.back()));
  }
  for (const auto& row : rows)
    for (std::size_t i = 0; i < columns.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  widths = fit(std::move(widths), columns, screen);
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string cell = cut_to(cells[i], widths[i]);
      const std::string padding(widths[i] - width_of(cell), ' ');
      if (i > 0) text.append(gap, ' ');
      text += columns[i].number ? padding + cell : cell + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  if (first) out += screen.colour ? "\x1b[1m" + line(head) + "\x1b[0m\n" : line(head) + "\n";
  for (const auto& row : rows) out += line(row) + "\n";
  return out;
}

std::string to_yaml(const json::Value& value, std::size_t indent) {
  const std::string margin(indent, ' ');
  std::string out;
  const auto nested = [&](const json::Value& inner, std::string_view after_key) {
    if (is_block(inner)) return std::string(after_key) + to_yaml(inner, indent + 2);
    return " " + to_yaml(inner, 0);
  };
  if (const json::Array* array = value.as_array(); array != nullptr && !array->empty()) {
    for (const json::Value& item : *array)
      out +=
          margin + "-" +
          (is_block(item) ? " " + to_yaml(item, indent + 2).substr(indent + 2) : nested(item, ""));
    return out;
  }
  if (const json::Object* object = value.as_object(); object != nullptr && !object->empty()) {
    for (const auto& [key, item] : *object)
      out += margin + yaml_text(key) + ":" + nested(item, "\n");
    return out;
  }
  if (const std::string* text = value.as_string()) return yaml_text(*text) + "\n";
  return json::write(value) + "\n";
}

std::string to_cell(const json::Value& value) {
  if (value.is_null()) return "-";
  if (const std::string* text = value.as_string()) {
    const bool plain = std::ranges::none_of(
        *text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
    return plain ? *text : escape_for_log(*text, longest_cell);
  }
  return json::write(value);
}

}  // namespace weir::cli
