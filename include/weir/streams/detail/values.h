// How the library handles values of a user's type that it does not know: copied, destroyed, coded.
#pragma once

#include <weir/topic.h>

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// What there is to do with a value behind a `void*`. Constants of the program.
struct ValueOps {
  std::size_t size;
  std::size_t align;
  /// Makes a value at `to`, which is raw, from the one at `from`, which stays a value.
  void (*move_construct)(void* to, void* from);
  void (*swap)(void* a, void* b);
  void (*destroy)(void* value) noexcept;
  Result<void> (*encode)(const void* codec, const void* value, std::string& out);
  /// Makes a value at `to`, which is raw.
  Result<void> (*decode)(const void* codec, std::string_view bytes, void* to);
};

template <class T>
inline constexpr ValueOps value_ops = {
    .size = sizeof(T),
    .align = alignof(T),
    .move_construct = [](void* to, void* from) { new (to) T(std::move(*static_cast<T*>(from))); },
    .swap = [](void* a, void* b) { std::swap(*static_cast<T*>(a), *static_cast<T*>(b)); },
    .destroy = [](void* value) noexcept { std::destroy_at(static_cast<T*>(value)); },
    .encode = [](const void* codec, const void* value, std::string& out) -> Result<void> {
      return static_cast<const Codec<T>*>(codec)->encode(*static_cast<const T*>(value), out);
    },
    .decode = [](const void* codec, std::string_view bytes, void* to) -> Result<void> {
      auto value = static_cast<const Codec<T>*>(codec)->decode(bytes);
      if (!value) return fail(std::move(value.error()));
      new (to) T(std::move(*value));
      return {};
    },
};

/// A codec and what else there is to do with its values.
struct ValueType {
  const ValueOps* ops = nullptr;
  const void* codec = nullptr;
};
template <class T>
ValueType value_type(const Codec<T>* codec) {
  static_assert(!std::is_same_v<T, std::string_view>,
                "a store cannot keep views of bytes that go with their record");
  return {&value_ops<T>, codec};
}

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
