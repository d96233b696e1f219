#include "cli/filter.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <compare>
#include <optional>

#include "base/log.h"
#include "cli/output.h"
#include "config/setting.h"
#include "config/suggest.h"

namespace weir::cli {
namespace {

constexpr std::size_t longest_filter = 4096;
constexpr std::size_t deepest_filter = 64;  // parentheses and nots

bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<double> number_of(const json::Value& value) {
  if (const auto* whole = value.as_int()) return static_cast<double>(*whole);
  if (const auto* real = value.as_double()) return *real;
  return std::nullopt;
}

/// Of two whole numbers, numbers, texts or truths; nothing for what has no order.
std::optional<std::partial_ordering> ordered(const json::Value& a, const json::Value& b) {
  if (a.as_int() != nullptr && b.as_int() != nullptr) return *a.as_int() <=> *b.as_int();
  const auto x = number_of(a);
  const auto y = number_of(b);
  if (x && y) return *x <=> *y;
  if (a.as_string() != nullptr && b.as_string() != nullptr)
    return a.as_string()->compare(*b.as_string()) <=> 0;
  if (a.as_bool() != nullptr && b.as_bool() != nullptr) return *a.as_bool() <=> *b.as_bool();
  return std::nullopt;
}

bool contains(const json::Value& whole, const json::Value& part) {
  if (const json::Array* list = whole.as_array())
    return std::ranges::find(*list, part) != list->end();
  const std::string* text = part.as_string();
  if (text == nullptr) return false;
  if (whole.as_object() != nullptr) return whole.find(*text) != nullptr;
  return whole.as_string() != nullptr && whole.as_string()->find(*text) != std::string::npos;
}

bool is_something(const json::Value& value) {
  if (const auto* truth = value.as_bool()) return *truth;
  if (const auto number = number_of(value)) return *number != 0;
  if (const auto* text = value.as_string()) return !text->empty();
  if (const auto* list = value.as_array()) return !list->empty();
  if (const auto* object = value.as_object()) return !object->empty();
  return false;
}

/// null < truths < numbers < texts < the rest, which is ordered as it is written.
int kind_of(const json::Value& value) {
  if (value.is_null()) return 0;
  if (value.as_bool() != nullptr) return 1;
  if (number_of(value)) return 2;
  return value.as_string() != nullptr ? 3 : 4;
}

int in_order(const json::Value& a, const json::Value& b) {
  if (kind_of(a) != kind_of(b)) return kind_of(a) < kind_of(b) ? -1 : 1;
  if (const auto order = ordered(a, b)) return *order < 0 ? -1 : *order > 0 ? 1 : 0;
  return kind_of(a) < 4 ? 0 : json::write(a).compare(json::write(b));
}

Result<std::size_t> column_named(std::string_view option, std::string_view name,
                                 std::span<const Column> columns) {
  std::vector<std::string_view> names;
  for (const Column& column : columns) names.push_back(column.name);
  const auto at = std::ranges::find(names, name);
  if (at == names.end())
    return fail(Errc::usage,
                fmt::format("--{}: no column {} (-o help lists them){}", option,
                            escape_for_log(name, 64), config::did_you_mean(name, names)));
  return static_cast<std::size_t>(at - names.begin());
}

}  // namespace

/// Recursive descent; gives indexes of nodes.
class FilterParser {
 public:
  FilterParser(std::string_view text, std::span<const Column> columns)
      : text_(text), columns_(columns) {}

  Result<Filter> parse() {
    auto root = expression();
    if (!root) return fail(root.error());
    skip_blanks();
    if (at_ < text_.size()) return wrong("here it should end, or go on with and, or");
    filter_.root_ = *root;
    return std::move(filter_);
  }

 private:
  using Node = Filter::Node;
  using Operator = Filter::Operator;

  tl::unexpected<Error> wrong(std::string_view why) const {
    return fail(Errc::usage, fmt::format("--filter: at character {}: {}", at_ + 1, why));
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view sign) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  std::string_view peek_word() {
    skip_blanks();
    std::size_t end = at_;
    if (end < text_.size() && is_word_start(text_[end]))
      while (end < text_.size() && (is_word_start(text_[end]) || is_digit(text_[end]))) ++end;
    return text_.substr(at_, end - at_);
  }
  bool take_word(std::string_view word) {
    if (peek_word() != word) return false;
    at_ += word.size();
    return true;
  }
  std::size_t add(Node node) {
    filter_.nodes_.push_back(std::move(node));
    return filter_.nodes_.size() - 1;
  }
  std::size_t join(Node::Kind kind, std::size_t left, std::size_t right) {
    Node node;
    node.kind = kind;
    node.left = left;
    node.right = right;
    return add(std::move(node));
  }

  Result<std::size_t> expression() {
    auto left = term();
    while (left && take_word("or")) {
      auto right = term();
      if (!right) return right;
      left = join(Node::Kind::either, *left, *right);
    }
    return left;
  }

  Result<std::size_t> term() {
    auto left = factor();
    while (left && take_word("and")) {
      auto right = factor();
      if (!right) return right;
      left = join(Node::Kind::both, *left, *right);
    }
    return left;
  }

  Result<std::size_t> factor() {
    if (++depth_ > deepest_filter) return wrong("too deep");
    auto made = take_word("not") ? negated() : take("(") ? grouped() : comparison();
    --depth_;
    return made;
  }

  Result<std::size_t> negated() {
    auto inner = factor();
    if (!inner) return inner;
    return join(Node::Kind::negated, *inner, 0);
  }

  Result<std::size_t> grouped() {
    auto inner = expression();
    if (inner && !take(")")) return wrong("a ) is missing");
    return inner;
  }

  Result<std::size_t> comparison() {
    Node node;
    auto a = operand();
    if (!a) return fail(a.error());
    node.a = std::move(*a);
    constexpr std::pair<std::string_view, Operator> signs[] = {
        {"!=", Operator::not_equal}, {"<=", Operator::at_most}, {">=", Operator::at_least},
        {"==", Operator::equal},     {"=", Operator::equal},    {"<", Operator::less},
        {">", Operator::greater},    {"~", Operator::contains}};
    for (const auto& [sign, op] : signs) {
      if (!take(sign)) continue;
      auto b = operand();
      if (!b) return fail(b.error());
      node.kind = Node::Kind::compared;
      node.op = op;
      node.b = std::move(*b);
      break;
    }
    return add(std::move(node));
  }

  Result<Filter::Operand> operand() {
    skip_blanks();
    Filter::Operand out;
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
      auto text = quoted();
      if (!text) return fail(text.error());
      out.is_literal = true;
      out.literal = json::Value(std::move(*text));
      return out;
    }
    if (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '-')) return number();
    const std::string_view word = peek_word();
    if (word.empty()) return wrong("want a column, a number, or a text in quotes");
    constexpr std::pair<std::string_view, int> fixed[] = {{"true", 1}, {"false", 0}, {"null", -1}};
    for (const auto& [name, value] : fixed) {
      if (word != name) continue;
      at_ += word.size();
      out.is_literal = true;
      out.literal = value < 0 ? json::Value(nullptr) : json::Value(value == 1);
      return out;
    }
    auto column = column_named("filter", word, columns_);
    if (!column) return fail(column.error());
    out.column = *column;
    at_ += word.size();
    return members(std::move(out));
  }

  Result<Filter::Operand> members(Filter::Operand out) {
    for (;;) {
      if (take(".")) {
        const std::string_view name = peek_word();
        if (name.empty()) return wrong("a name must follow the point");
        out.path.emplace_back(name);
        at_ += name.size();
      } else if (take("[")) {
        skip_blanks();
        auto name = quoted();
        if (!name) return fail(name.error());
        out.path.push_back(std::move(*name));
        if (!take("]")) return wrong("a ] is missing");
      } else {
        return out;
      }
    }
  }

  Result<Filter::Operand> number() {
    Filter::Operand out;
    out.is_literal = true;
    std::size_t end = at_ + 1;
    while (end < text_.size() &&
           (is_digit(text_[end]) || text_[end] == '.' || text_[end] == 'e' || text_[end] == 'E' ||
            ((text_[end] == '-' || text_[end] == '+') &&
             (text_[end - 1] == 'e' || text_[end - 1] == 'E'))))
      ++end;
    const char* first = text_.data() + at_;
    const char* last = text_.data() + end;
    std::int64_t whole = 0;
    double real = 0;
    if (const auto r = std::from_chars(first, last, whole); r.ec == std::errc{} && r.ptr == last) {
      out.literal = json::Value(whole);
    } else if (const auto d = std::from_chars(first, last, real);
               d.ec == std::errc{} && d.ptr == last) {
      out.literal = json::Value(real);
    } else {
      return wrong("this is no number");
    }
    at_ = end;
    return out;
  }

  Result<std::string> quoted() {
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\''))
      return wrong("want a text in quotes");
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      char c = text_[at_++];
      if (c == '\\') {
        constexpr std::pair<char, char> escapes[] = {
            {'\\', '\\'}, {'\'', '\''}, {'"', '"'}, {'n', '\n'}, {'t', '\t'}};
        const char next = at_ < text_.size() ? text_[at_++] : '\0';
        const auto* known = std::ranges::find(escapes, next, &std::pair<char, char>::first);
        if (known == std::end(escapes)) return wrong(R"(after \ only \ ' " n t)");
        c = known->second;
      }
      out += c;
    }
    if (at_ >= text_.size()) return wrong("a quote is missing");
    ++at_;
    return out;
  }

  std::string_view text_;
  std::span<const Column> columns_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  Filter filter_;
};

Result<Filter> Filter::parse(std::string_view text, std::span<const Column> columns) {
  if (text.size() > longest_filter)
    return fail(Errc::usage, fmt::format("--filter: {} characters, at most {} are read",
                                         text.size(), longest_filter));
  return FilterParser(text, columns).parse();
}

const json::Value& Filter::value_of(const Operand& operand, std::span<const json::Value> row) {
  static const json::Value nothing;
  if (operand.is_literal) return operand.literal;
  const json::Value* at = &row[operand.column];
  for (const std::string& name : operand.path) {
    at = at->find(name);
    if (at == nullptr) return nothing;
  }
  return *at;
}

bool Filter::compare(const json::Value& a, Operator op, const json::Value& b) {
  if (op == Operator::contains) return contains(a, b);
  const auto order = ordered(a, b);
  const bool equal = order ? *order == 0 : a == b;
  if (op == Operator::equal) return equal;
  if (op == Operator::not_equal) return !equal;
  if (!order) return false;
  switch (op) {
    case Operator::less: return *order < 0;
    case Operator::at_most: return *order <= 0;
    case Operator::greater: return *order > 0;
    default: return *order >= 0;
  }
}

bool Filter::matches(std::span<const json::Value> row) const { return holds(root_, row); }

// A chain of n ands is n calls deep: bounded by the length of the text.
bool Filter::holds(std::size_t at, std::span<const json::Value> row) const {
  const Node& node = nodes_[at];
  switch (node.kind) {
    case Node::Kind::both: return holds(node.left, row) && holds(node.right, row);
    case Node::Kind::either: return holds(node.left, row) || holds(node.right, row);
    case Node::Kind::negated: return !holds(node.left, row);
    case Node::Kind::compared:
      return compare(value_of(node.a, row), node.op, value_of(node.b, row));
    case Node::Kind::holds: return is_something(value_of(node.a, row));
  }
  return false;
}

Result<RowOrder> RowOrder::parse(std::string_view text, std::span<const Column> columns) {
  RowOrder order;
  for (const std::string& part : config::split_list(text)) {
    const bool descending = part.starts_with('-');
    auto column = column_named("sort", std::string_view(part).substr(descending ? 1 : 0), columns);
    if (!column) return fail(column.error());
    order.keys_.push_back({.column = *column, .descending = descending});
  }
  return order;
}

void RowOrder::sort(std::vector<json::Array>& rows) const {
  std::ranges::stable_sort(rows, [this](const json::Array& a, const json::Array& b) {
    for (const Key& key : keys_)
      if (const int order = in_order(a[key.column], b[key.column]); order != 0)
        return key.descending ? order > 0 : order < 0;
    return false;
  });
}

}  // namespace weir::cli
