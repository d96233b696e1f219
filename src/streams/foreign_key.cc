#include <weir/streams/detail/foreign_key.h>

#include "base/bytes.h"
#include "base/murmur3.h"
#include "base/mutant.h"

namespace weir::streams {
inline namespace v1 {
namespace detail {
namespace {

constexpr unsigned without_hash = 0x80;
constexpr unsigned with_value = 1;
constexpr unsigned version = 1;
constexpr std::size_t hash_bytes = 16;
constexpr std::size_t partition_bytes = sizeof(std::int32_t);

void append_byte(std::string& out, unsigned byte) { out += static_cast<char>(byte); }

/// The hash in front of `bytes`, if `flags` says that there is one; false: there is not.
bool take_hash(unsigned flags, std::string_view& bytes, std::optional<std::string_view>& hash) {
  if ((flags & without_hash) != 0) return true;
  if (bytes.size() < hash_bytes) return false;
  hash = bytes.substr(0, hash_bytes);
  bytes.remove_prefix(hash_bytes);
  return true;
}

}  // namespace

void append_subscription(std::string& out, const SubscriptionMessage& message) {
  append_byte(out, version | (message.hash ? 0 : without_hash));
  append_byte(out, static_cast<unsigned>(message.what));
  out += message.hash.value_or(std::string_view());
  out += message.key;
  append_be<std::int32_t>(out, message.partition);
}

Result<SubscriptionMessage> parse_subscription(std::string_view bytes) {
  const auto malformed = [&](const char* what) {
    return fail(Errc::malformed, "a subscription of a foreign-key join " + std::string(what));
  };
  if (bytes.size() < 2 + partition_bytes) return malformed("is too short");
  const auto flags = static_cast<unsigned char>(bytes[0]);
  const auto what = static_cast<unsigned char>(bytes[1]);
  if ((flags & ~without_hash) != version) return malformed("is of an unknown version");
  if (what > static_cast<unsigned>(Subscription::answer_if_there))
    return malformed("wants what is not known");
  SubscriptionMessage out{.what = static_cast<Subscription>(what), .hash = {}, .key = {}};
  bytes.remove_prefix(2);
  if (!take_hash(flags, bytes, out.hash) || bytes.size() < partition_bytes)
    return malformed("is too short");
  out.key = bytes.substr(0, bytes.size() - partition_bytes);
  out.partition = load_be<std::int32_t>(bytes.data() + out.key.size());
  if (out.partition < 0) return malformed("comes from no partition");
  return out;
}

void append_subscription_key(std::string& out, std::string_view foreign_key, std::string_view key) {
  append_be<std::uint32_t>(out, static_cast<std::uint32_t>(foreign_key.size()));
  out += foreign_key;
  out += key;
}

void append_answer(std::string& out, const AnswerMessage& message) {
  append_byte(out, (message.hash ? 0 : without_hash) | (message.value ? with_value : 0));
  out += message.hash.value_or(std::string_view());
  out += message.value.value_or(std::string_view());
}

Result<AnswerMessage> parse_answer(std::string_view bytes) {
  if (bytes.empty()) return fail(Errc::malformed, "an answer of a foreign-key join is empty");
  const auto flags = static_cast<unsigned char>(bytes[0]);
  bytes.remove_prefix(1);
  AnswerMessage out;
  if ((flags & ~(without_hash | with_value)) != 0 || !take_hash(flags, bytes, out.hash))
    return fail(Errc::malformed, "an answer of a foreign-key join cannot be read");
  if ((flags & with_value) != 0) out.value = bytes;
  return out;
}

void append_hash(std::string& out, std::string_view value) {
  if (mutant(Mutant::hash_says_nothing)) value = {};
  const auto [first, second] = murmur3_128(value);
  append_be<std::uint64_t>(out, first);
  append_be<std::uint64_t>(out, second);
}

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
