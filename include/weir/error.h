// Errors of weir: one enumeration for Kafka's codes and our own, and the value that carries one.
//
// Threads: values; any thread. Lifetimes: an Error owns its message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir {
inline namespace v1 {

/// What went wrong. Values below 1000 are Kafka's wire codes (Apache Kafka 4.3.1, `Errors`), the
/// others are weir's own and never travel. `errors.inc` is the only list.
enum class Errc : std::int16_t {
  none = 0,
#define WEIR_ERROR(name, code, retriable) name = code,
#include <weir/errors.inc>
#undef WEIR_ERROR
};

/// The name of a code as Kafka writes it, in lower case: "not_leader_or_follower".
/// A number that the table lacks gives "unknown_error".
std::string_view name_of(Errc code) noexcept;

/// True if trying the same again later may succeed, as Kafka's clients decide it.
bool is_retriable(Errc code) noexcept;

/// The code for a number read from the wire; a number we do not know is `unknown_server_error`.
Errc errc_from_wire(std::int16_t code) noexcept;

/// The number to write to the wire for `code`; weir's own codes become the nearest one of Kafka.
std::int16_t wire_code(Errc code) noexcept;

/// A code and a message that names the thing, the numbers and, where there is one, the mend.
class Error {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}
  explicit Error(Errc code) : code_(code), message_(name_of(code)) {}

  Errc code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  bool retriable() const noexcept { return is_retriable(code_); }
  /// True if the client instance cannot go on and must be closed (a fenced producer, for example).
  bool fatal() const noexcept;

 private:
  Errc code_;
  std::string message_;
};

}  // namespace v1
}  // namespace weir
