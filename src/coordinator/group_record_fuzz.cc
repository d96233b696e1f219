// Whatever stands in the stream of offsets: it is refused, left alone or read, never more. What is
// read is written again to the same meaning, and loading it leaves a coordinator that works.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/log.h"
#include "coordinator/group_coordinator.h"
#include "coordinator/record.h"
#include "coordinator/subscription.h"
#include "fuzz/harness.h"

namespace weir::coordinator {
namespace {

// A topic of two letters is four bytes in a subscription, and becomes a view of them and a node of
// the set that tells which topics the members want.
constexpr std::size_t subscription_factor = 32;

void read_again(const DecodedRecord& decoded) {
  if (const auto* offset = std::get_if<OffsetRecord>(&decoded); offset && offset->value) {
    const auto record = make_offset_record(offset->key, *offset->value);
    if (!record) return;  // longer than what we write can hold
    const auto again = decode_record(record->key, record->value);
    check(again.has_value(), "what is written is read");
    const auto& same = std::get<OffsetRecord>(*again);
    check(same.key.group == offset->key.group && same.value->offset == offset->value->offset &&
              same.value->metadata == offset->value->metadata,
          "an offset is read back as it was written");
  } else if (const auto* group = std::get_if<GroupRecord>(&decoded); group && group->value) {
    const auto record = make_group_record(group->group, *group->value);
    if (!record) return;
    const auto again = decode_record(record->key, record->value);
    fuzz::canary(group->value->members.size() == 1);
    check(again.has_value() &&
              std::get<GroupRecord>(*again).value->members.size() == group->value->members.size(),
          "a group is read back as it was written");
  }
}

/// Splits the input: [key length u8][key][value length u16][value]…
void load(std::string_view bytes) {
  Rng rng(1);
  GroupCoordinator coordinator({}, rng, [](std::string_view, const TopicId&) { return true; });
  const Now now{.mono = MonoTime(std::chrono::hours(1)), .wall_ms = 1};
  while (bytes.size() >= 3) {
    const std::size_t key_size =
        std::min<std::size_t>(static_cast<unsigned char>(bytes[0]), bytes.size() - 3);
    const std::string_view key = bytes.substr(1, key_size);
    bytes.remove_prefix(1 + key_size);
    const auto said = static_cast<std::size_t>(load_be<std::uint16_t>(bytes.data()));
    bytes.remove_prefix(2);
    const std::string_view value = bytes.substr(0, std::min(said, bytes.size()));
    bytes.remove_prefix(value.size());
    const auto decoded =
        fuzz::bounded(key.size() + value.size(), [&] { return decode_record(key, value); });
    if (decoded) read_again(*decoded);
    (void)decode_record(key, std::nullopt);
    (void)coordinator.load(key, said == 0xffff ? std::nullopt : std::optional(value), now);
    std::set<std::string, std::less<>> topics;
    fuzz::bounded_by(subscription_factor * value.size() + fuzz::allocation_bound(0),
                     [&] { return add_subscribed_topics(value, topics); });
  }
  (void)coordinator.loaded(now);
  for (int i = 0; i < 1000 && coordinator.next_deadline() < now.mono + std::chrono::minutes(40);
       ++i)
    (void)coordinator.on_timer({.mono = coordinator.next_deadline(), .wall_ms = 2});
}

}  // namespace
}  // namespace weir::coordinator

void weir::fuzz::input(std::string_view bytes) {
  weir::set_log_level(weir::LogLevel::off);
  weir::coordinator::load(bytes);
}
