// Patterns of JSON Schema, which are ECMA-262 regular expressions, in time linear in the text.
//
// RE2 matches them; what the two write differently is translated. Look-around and back-references
// are what no engine of that kind can do: they are named, and a lenient schema leaves them
// unchecked.
#pragma once

#include <weir/result.h>

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace weir::contract::json_schema {

/// Threads: any.
class Pattern {
 public:
  /// Errc::malformed: this is no ECMA-262 expression. Errc::unsupported: it is one that cannot be
  /// checked; the message says what it uses.
  static Result<Pattern> compile(std::string_view text);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  /// Anywhere in `text`, as ECMA-262 has it without anchors.
  bool matches(std::string_view text) const;

 private:
  explicit Pattern(std::unique_ptr<re2::RE2> regex);
  std::unique_ptr<re2::RE2> regex_;
};

/// The expression in RE2's spelling; errors as of compile().
Result<std::string> to_re2(std::string_view ecma);

}  // namespace weir::contract::json_schema
