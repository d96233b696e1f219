// Bytes as text and back: Avro's JSON writes each byte as the character of that number.
#pragma once

#include <string>
#include <string_view>

namespace weir::contract::avro {

/// True if `text` is well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms.
bool is_utf8(std::string_view text);
/// `text` with U+FFFD in place of each part that cannot begin or go on a character (the maximal
/// subparts of the Unicode standard), as Java reads such bytes.
std::string repaired_utf8(std::string_view text);
/// Appends the characters U+0000 to U+00FF that the bytes stand for.
void append_latin1_as_utf8(std::string& out, std::string_view bytes);
/// Appends a byte for each character. False, with `out` in no useful state, if one is above U+00FF.
bool append_utf8_as_latin1(std::string& out, std::string_view text);

}  // namespace weir::contract::avro
