// What the two sides of a foreign-key join say to each other (KIP-213).
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// What the row's side wants of the other one.
enum class Subscription : std::uint8_t {
  drop = 0,             // forget the row
  drop_and_answer = 1,  // forget it, and answer that there is no partner
  answer = 2,           // remember it; answer with the partner, or that there is none
  answer_if_there = 3,  // remember it; answer with the partner, if there is one
};

/// A row, for the side that has its foreign key: `u8 version 1, bit 7: no hash | u8 what | hash, 16
/// bytes | key of the row | i32 its partition`.
struct SubscriptionMessage {
  Subscription what{};
  /// Of the row's value; absent: the row is gone.
  std::optional<std::string_view> hash;
  std::string_view key;
  std::int32_t partition = 0;
};
void append_subscription(std::string& out, const SubscriptionMessage& message);
/// Errc::malformed. Views of `bytes`.
Result<SubscriptionMessage> parse_subscription(std::string_view bytes);
/// Where it is remembered: `u32 size, foreign key, key`, so that all of a foreign key stand
/// together.
void append_subscription_key(std::string& out, std::string_view foreign_key, std::string_view key);

/// A partner, for the row: `u8 bit 7: no hash, bit 0: there is one | hash | its value`.
struct AnswerMessage {
  std::optional<std::string_view> hash;
  std::optional<std::string_view> value;
};
void append_answer(std::string& out, const AnswerMessage& message);
Result<AnswerMessage> parse_answer(std::string_view bytes);

/// 16 bytes that tell values apart.
void append_hash(std::string& out, std::string_view value);

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
