// weir::Result<T>: a value or an Error, for what the world can do wrong.
#pragma once

#include <weir/error.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace weir {
inline namespace v1 {

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(Errc::not_found, "topic orders: does not exist");`
inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace v1
}  // namespace weir
