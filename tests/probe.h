// What the helper programs of the client's tests end with when something is not as it should be.
#pragma once

#include <fmt/core.h>
#include <weir/result.h>

#include <cstdlib>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir::tests {

/// Prints what went wrong, with the error's name and message, and exits 1.
[[noreturn]] inline void stop(std::string_view what, const Error* error = nullptr) {
  fmt::print(stderr, "{}: {} {}\n", what, error == nullptr ? "" : name_of(error->code()),
             error == nullptr ? "" : error->message());
  std::exit(1);
}

template <class T>
T must(std::string_view what, Result<T> result) {
  if (!result) stop(what, &result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace weir::tests
