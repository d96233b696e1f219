// Bounds of local state.
#pragma once

#include <cstddef>

namespace weir::state::limits {

/// A longer key or value is refused with Errc::message_too_large.
inline constexpr std::size_t key_bytes = 64U << 10U;
inline constexpr std::size_t value_bytes = 64U << 20U;

}  // namespace weir::state::limits
