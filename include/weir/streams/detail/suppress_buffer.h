// What is held back of a table: one update a key, in the order in which their keys came.
#pragma once

#include <weir/streams/detail/store.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// In front of an OrderedState:
///   'k' key             -> i64 place
///   't' i64 place, key  -> update
/// An update of a key that is there takes the other's place. Threads: the task's.
class SuppressBuffer {
 public:
  explicit SuppressBuffer(OrderedState& state) : state_(&state) {}

  struct Entry {
    std::int64_t place = 0;
    std::string key = {};
    std::string update = {};
    std::int64_t timestamp_ms = -1;
  };
  std::optional<Entry> find(std::string_view key);
  void put(const Entry& entry);
  std::optional<Entry> first();
  void remove(const Entry& entry);

  /// Counts what the state has, once it is restored. Before that records() and bytes() say how much
  /// came and went.
  void count();
  std::int64_t records() const { return records_; }
  /// Of keys and updates.
  std::int64_t bytes() const { return bytes_; }

 private:
  std::string_view place_key(std::string_view key);
  std::string_view update_key(std::int64_t place, std::string_view key);

  OrderedState* state_;
  std::int64_t records_ = 0;
  std::int64_t bytes_ = 0;
  std::string place_key_;
  std::string update_key_;
};

/// An update on its way through the buffer: `u32 size, new | u32 size, old | headers`; a size of
/// 2^32 - 1 is an absent one. Views of what they were made of.
struct HeldUpdate {
  std::optional<std::string_view> now;
  std::optional<std::string_view> old;
  std::string_view headers = {};
};
void append_held(std::string& out, const HeldUpdate& update);
/// Of what append_held() wrote.
HeldUpdate parse_held(std::string_view bytes);

/// Keys of records that wait, in their order: `i64 time | key | u32 number`.
std::string waiting_key(std::int64_t time_ms, std::string_view key, std::uint32_t number);
std::string_view key_of_waiting(std::string_view waiting_key);

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
