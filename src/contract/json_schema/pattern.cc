#include "contract/json_schema/pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "contract/json_schema/limits.h"

namespace weir::contract::json_schema {
namespace {

// The white space and the ends of lines of ECMA-262, as members of a class.
constexpr std::string_view spaces =
    "\\x09-\\x0d \\x{a0}\\x{1680}\\x{2000}-\\x{200a}"
    "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}";
constexpr std::string_view not_spaces =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
    "\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}";
constexpr std::string_view any_but_line_ends = "[^\\n\\r\\x{2028}\\x{2029}]";
constexpr std::string_view everything = "[\\x{0}-\\x{10ffff}]";

constexpr std::array<std::pair<std::string_view, std::string_view>, 38> categories = {{
    {"Letter", "L"},
    {"Cased_Letter", "LC"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"Format", "Cf"},
}};

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string code_point(std::uint32_t code) {
  char text[16];
  const auto end = std::to_chars(text, text + sizeof text, code, 16).ptr;
  return "\\x{" + std::string(text, end) + "}";
}

class Translator {
 public:
  explicit Translator(std::string_view text) : text_(text) {}

  Result<std::string> translate() {
    while (pos_ < text_.size() && !error_) piece();
    if (error_) return fail(*std::exchange(error_, std::nullopt));
    return std::move(out_);
  }

 private:
  void refuse(Errc code, std::string why) {
    if (!error_) error_ = Error(code, std::move(why));
  }
  bool ahead(std::string_view text) const { return text_.substr(pos_).starts_with(text); }

  void piece() {
    const char c = text_[pos_];
    switch (c) {
      case '\\': ++pos_; return escape(false);
      case '.':
        ++pos_;
        out_ += any_but_line_ends;
        return;
      case '[': return bracket();
      case '(': return group();
      case '$':  // RE2 takes it as the end of the text, too, unless lines are asked for
      default:
        ++pos_;
        out_ += c;
        return;
    }
  }

  void group() {
    ++pos_;
    if (!ahead("?")) {
      out_ += "(?:";
      return;
    }
    if (ahead("?=") || ahead("?!")) return refuse(Errc::unsupported, "it looks ahead");
    if (ahead("?<=") || ahead("?<!")) return refuse(Errc::unsupported, "it looks behind");
    if (ahead("?<")) {  // a name is for references, which cannot be
      const auto end = text_.find('>', pos_);
      if (end == std::string_view::npos)
        return refuse(Errc::malformed, "the name of a group has no end");
      pos_ = end + 1;
      out_ += "(?:";
      return;
    }
    out_ += '(';
  }

  void bracket() {
    ++pos_;
    if (ahead("]")) {  // nothing
      ++pos_;
      out_ += "[^\\x{0}-\\x{10ffff}]";
      return;
    }
    if (ahead("^]")) {
      pos_ += 2;
      out_ += everything;
      return;
    }
    out_ += '[';
    if (ahead("^")) {
      ++pos_;
      out_ += '^';
    }
    while (pos_ < text_.size() && text_[pos_] != ']' && !error_) {
      const char c = text_[pos_++];
      if (c == '\\') {
        escape(true);
      } else if (c == '[') {
        out_ += "\\[";
      } else if (c == '-' && beside_a_class()) {
        out_ += "\\-";
      } else {
        last_was_class_ = false;
        out_ += c;
      }
    }
    if (pos_ >= text_.size()) return refuse(Errc::malformed, "a [ has no ]");
    ++pos_;
    out_ += ']';
    last_was_class_ = false;
  }
  /// A - beside \w or the like is itself.
  bool beside_a_class() const {
    if (last_was_class_) return true;
    if (pos_ + 1 >= text_.size() || text_[pos_] != '\\') return false;
    return std::string_view("dDwWsSpP").find(text_[pos_ + 1]) != std::string_view::npos;
  }

  void escape(bool in_class) {
    if (pos_ >= text_.size()) return refuse(Errc::malformed, "a \\ stands at the end");
    const char c = text_[pos_++];
    last_was_class_ = false;
    switch (c) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
        last_was_class_ = true;
        out_ += '\\';
        out_ += c;
        return;
      case 's':
      case 'S': {
        last_was_class_ = true;
        const std::string_view members = c == 's' ? spaces : not_spaces;
        out_ += in_class ? std::string(members) : '[' + std::string(members) + ']';
        return;
      }
      case 'b': out_ += in_class ? "\\x{8}" : "\\b"; return;
      case 'B':
        if (in_class) return refuse(Errc::malformed, "\\B stands in brackets");
        out_ += "\\B";
        return;
      case 't': out_ += "\\t"; return;
      case 'n': out_ += "\\n"; return;
      case 'r': out_ += "\\r"; return;
      case 'f': out_ += "\\f"; return;
      case 'v': out_ += "\\v"; return;
      case 'c': return control();
      case 'x': return hex(2);
      case 'u': return unicode();
      case 'p':
      case 'P': return property(c);
      case 'k': return refuse(Errc::unsupported, "it refers back to a group");
      default: return other_escape(c, in_class);
    }
  }

  void other_escape(char c, bool in_class) {
    if (c >= '1' && c <= '9' && !in_class)
      return refuse(Errc::unsupported, "it refers back to a group");
    if (c == '0') {
      out_ += "\\x{0}";
      return;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9');
    if (letter) return refuse(Errc::malformed, std::string("there is no escape \\") + c);
    if (c == '_' || c < 0) {  // itself
      out_ += c;
      return;
    }
    out_ += '\\';
    out_ += c;
  }

  void control() {
    if (pos_ >= text_.size() ||
        !((text_[pos_] >= 'a' && text_[pos_] <= 'z') || (text_[pos_] >= 'A' && text_[pos_] <= 'Z')))
      return refuse(Errc::malformed, "\\c is followed by a letter");
    out_ += code_point(static_cast<std::uint32_t>(text_[pos_++]) % 32U);
  }

  bool digits(std::size_t count, std::uint32_t& code) {
    const std::string_view digits = text_.substr(pos_, count);
    if (digits.size() < count || !std::ranges::all_of(digits, is_hex)) return false;
    std::from_chars(digits.data(), digits.data() + count, code, 16);
    pos_ += count;
    return true;
  }
  void hex(std::size_t count) {
    std::uint32_t code = 0;
    if (!digits(count, code))
      return refuse(Errc::malformed, "an escape lacks its hexadecimal digits");
    out_ += code_point(code);
  }
  void unicode() {
    std::uint32_t code = 0;
    if (ahead("{")) {
      const auto end = text_.find('}', pos_);
      const std::string_view digits =
          end == std::string_view::npos ? "" : text_.substr(pos_ + 1, end - pos_ - 1);
      if (digits.empty() || digits.size() > 6 || !std::ranges::all_of(digits, is_hex))
        return refuse(Errc::malformed, "an escape lacks its hexadecimal digits");
      std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
      if (code > 0x10ffff) return refuse(Errc::malformed, "there is no such character");
      pos_ = end + 1;
      out_ += code_point(code);
      return;
    }
    if (!digits(4, code)) return refuse(Errc::malformed, "an escape lacks its hexadecimal digits");
    if (code >= 0xd800 && code < 0xdc00 && ahead("\\u")) {
      pos_ += 2;
      std::uint32_t low = 0;
      if (!digits(4, low) || low < 0xdc00 || low > 0xdfff)
        return refuse(Errc::malformed, "half of a surrogate pair");
      code = 0x10000U + ((code - 0xd800U) << 10U) + (low - 0xdc00U);
    }
    if (code >= 0xd800 && code <= 0xdfff)
      return refuse(Errc::unsupported, "it asks for half of a surrogate pair");
    out_ += code_point(code);
  }
  void property(char c) {
    const auto end = text_.find('}', pos_);
    if (!ahead("{") || end == std::string_view::npos)
      return refuse(Errc::malformed, "\\p is followed by {a property}");
    std::string_view name = text_.substr(pos_ + 1, end - pos_ - 1);
    pos_ = end + 1;
    for (const std::string_view prefix :
         {"General_Category=", "gc=", "Script=", "sc=", "Script_Extensions=", "scx="})
      if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    const auto known =
        std::ranges::find(categories, name, [](const auto& row) { return row.first; });
    if (known != categories.end()) name = known->second;
    last_was_class_ = true;
    out_ += '\\';
    out_ += c;
    out_ += '{';
    out_ += name;
    out_ += '}';
  }

  std::string_view text_;
  std::size_t pos_ = 0;
  std::string out_;
  bool last_was_class_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<std::string> to_re2(std::string_view ecma) {
  if (ecma.size() > limits::pattern_bytes)
    return fail(Errc::unsupported,
                "it has more than " + std::to_string(limits::pattern_bytes) + " bytes");
  return Translator(ecma).translate();
}

Pattern::Pattern(std::unique_ptr<re2::RE2> regex) : regex_(std::move(regex)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::compile(std::string_view text) {
  auto translated = to_re2(text);
  if (!translated) return fail(std::move(translated.error()));
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(limits::pattern_memory);
  auto regex = std::make_unique<re2::RE2>(*translated, options);
  switch (regex->error_code()) {
    case re2::RE2::NoError: return Pattern(std::move(regex));
    case re2::RE2::ErrorRepeatSize:
      return fail(Errc::unsupported, "it repeats something more than 1000 times");
    case re2::RE2::ErrorPatternTooLarge: return fail(Errc::unsupported, "it takes too much memory");
    case re2::RE2::ErrorBadCharRange:
      if (translated->find("\\p{") != std::string::npos ||
          translated->find("\\P{") != std::string::npos)
        return fail(Errc::unsupported, "it asks for a property of characters that is not known: " +
                                           regex->error_arg());
      [[fallthrough]];
    default: return fail(Errc::malformed, regex->error());
  }
}

bool Pattern::matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *regex_);
}

}  // namespace weir::contract::json_schema
