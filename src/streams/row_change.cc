#include <weir/streams/detail/row_change.h>

#include "base/varint.h"

namespace weir::streams {
inline namespace v1 {
namespace detail {

Result<RowChangeParts> split_row_change(std::string_view bytes) {
  const auto malformed = [](const char* why) {
    return fail(Errc::malformed, std::string("an update of a table ") + why);
  };
  if (bytes.empty()) return malformed("without its form");
  const char form = bytes.back();
  bytes.remove_suffix(1);
  RowChangeParts out;
  switch (form) {
    case 0: out.old = bytes; return out;
    case 1: out.now = bytes; return out;
    case 2: {
      std::int32_t size = 0;
      if (!take_varint(bytes, size) || size < 0 || static_cast<std::size_t>(size) > bytes.size())
        return malformed("whose new value is cut short");
      out.now = bytes.substr(0, static_cast<std::size_t>(size));
      out.old = bytes.substr(static_cast<std::size_t>(size));
      return out;
    }
    default: return malformed("of a form that is not known");
  }
}

void append_length(std::string& out, std::size_t length) {
  append_uvarint(out, zigzag(static_cast<std::int64_t>(length)));
}

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
