// How an update of a table lies in a repartition.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::streams {
inline namespace v1 {
namespace detail {

struct RowChangeParts {
  std::optional<std::string_view> now;
  std::optional<std::string_view> old;
};
/// Errc::malformed.
Result<RowChangeParts> split_row_change(std::string_view bytes);
void append_length(std::string& out, std::size_t length);

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
