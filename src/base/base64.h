// Base64 (RFC 4648, section 4), strictly: no blanks, no missing padding, no bits that are left
// over.
#pragma once

#include <weir/result.h>

#include <string>
#include <string_view>

namespace weir {

std::string to_base64(std::string_view bytes);
/// Errc::malformed for anything that to_base64 does not write. The text is not in the message.
Result<std::string> from_base64(std::string_view text);

}  // namespace weir
