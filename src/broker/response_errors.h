// The first error that an answer carries, wherever in it: by the names that Kafka gives its lists.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace weir::broker {

template <class T>
std::int16_t first_error(const T& value);

template <class List>
std::int16_t first_error_in(const List& list) {
  using Item = std::remove_cvref_t<decltype(*list.begin())>;
  if constexpr (std::is_class_v<Item>)
    for (const auto& item : list)
      if (const std::int16_t error = first_error(item); error != 0) return error;
  return 0;
}

/// 0 if there is none. An own code of a message comes before those of what it lists.
template <class T>
std::int16_t first_error(const T& value) {
  if constexpr (requires {
                  { value.error_code } -> std::convertible_to<std::int16_t>;
                })
    if (value.error_code != 0) return value.error_code;
  std::int16_t error = 0;
#define WEIR_LOOK_INTO(member)                                \
  if constexpr (requires { value.member.begin(); }) {         \
    error = first_error_in(value.member);                     \
  } else if constexpr (requires { value.member->begin(); }) { \
    if (value.member) error = first_error_in(*value.member);  \
  }                                                           \
  if (error != 0) return error
  WEIR_LOOK_INTO(responses);
  WEIR_LOOK_INTO(results);
  WEIR_LOOK_INTO(topics);
  WEIR_LOOK_INTO(partitions);
  WEIR_LOOK_INTO(partition_responses);
  WEIR_LOOK_INTO(coordinators);
  WEIR_LOOK_INTO(groups);
  WEIR_LOOK_INTO(members);
#undef WEIR_LOOK_INTO
  return error;
}

}  // namespace weir::broker
