#include <weir/streams/detail/parked.h>

#include <algorithm>

#include "base/bytes.h"

namespace weir::streams {
inline namespace v1 {
namespace detail {
namespace {

constexpr std::size_t time_bytes = sizeof(std::int64_t);
constexpr std::size_t head_bytes = time_bytes + 1;
constexpr std::size_t size_bytes = sizeof(std::uint32_t);

}  // namespace

std::string_view Parked::make_key(std::int64_t time_ms, bool is_left, std::string_view key) {
  key_.clear();
  append_be<std::int64_t>(key_, time_ms);
  key_ += is_left ? '\1' : '\0';
  key_ += key;
  return key_;
}

void Parked::add(std::int64_t time_ms, bool is_left, std::string_view key, std::string_view value) {
  const std::string_view place = make_key(time_ms, is_left, key);
  value_.clear();
  if (const auto before = state_->get(place)) value_ = before->value;
  append_be<std::uint32_t>(value_, static_cast<std::uint32_t>(value.size()));
  value_ += value;
  state_->put(place, value_, time_ms);
}

void Parked::remove(std::int64_t time_ms, bool is_left, std::string_view key) {
  const std::string_view place = make_key(time_ms, is_left, key);
  if (state_->get(place)) state_->remove(place);
}

/// `ends` is told of each record's time and side, and whether it stays, before it is taken.
template <class Ends>
void Parked::take(std::int64_t left_ms, std::int64_t right_ms, const Visit& visit, Ends ends) {
  std::string from;
  while (const auto found = state_->first(from)) {
    const auto time_ms = load_be<std::int64_t>(found->key.data());
    const bool is_left = found->key[time_bytes] != '\0';
    const bool stays = time_ms >= (is_left ? left_ms : right_ms);
    if (ends(time_ms, is_left, stays)) return;
    from = found->key;
    if (!stays) {
      const std::string values(found->value);
      state_->remove(from);
      const std::string_view key = std::string_view(from).substr(head_bytes);
      for (std::string_view rest = values; rest.size() >= size_bytes;) {
        const auto size = load_be<std::uint32_t>(rest.data());
        visit(time_ms, is_left, key, rest.substr(size_bytes, size));
        rest.remove_prefix(std::min<std::size_t>(rest.size(), size_bytes + size));
      }
    }
    from += '\0';
  }
}

void Parked::take_before(std::int64_t left_ms, std::int64_t right_ms, const Visit& visit) {
  take(left_ms, right_ms, visit,
       [last = std::max(left_ms, right_ms)](std::int64_t time_ms, bool, bool) {
         return time_ms >= last;
       });
}

std::int64_t Parked::take_all_before(std::int64_t left_ms, std::int64_t right_ms,
                                     const Visit& visit) {
  std::int64_t last = -1;
  bool left_stays = false;
  bool right_stays = false;
  take(left_ms, right_ms, visit, [&](std::int64_t time_ms, bool is_left, bool stays) {
    last = time_ms;
    if (left_stays && right_stays) return true;
    if (stays) (is_left ? left_stays : right_stays) = true;
    return false;
  });
  return last;
}

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
