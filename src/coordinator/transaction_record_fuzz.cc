// Whatever stands in the stream of transactions: it is refused or read, never more. What is read is
// written again to the same meaning, and loading it leaves a coordinator that works.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/log.h"
#include "coordinator/transaction_coordinator.h"
#include "fuzz/harness.h"

namespace weir::coordinator {
namespace {

// A topic of two letters with one partition is nine bytes, and becomes a row of the record and a
// node of the transaction's map; topics as long as real ones stay far below.
constexpr std::size_t record_factor = 16;

void read_again(const TransactionRecord& decoded) {
  if (!decoded.value) return;
  const auto record = make_transaction_record(decoded.id, *decoded.value);
  if (!record) return;  // longer than what we write can hold
  fuzz::canary(decoded.value->state == TransactionState::prepare_commit &&
               size_of(decoded.value->partitions) == 2);
  const auto again = decode_transaction(record->key, record->value);
  check(again && *again && (*again)->id == decoded.id &&
            (*again)->value->producer == decoded.value->producer &&
            (*again)->value->state == decoded.value->state,
        "a transaction is read back as it was written");
}

// A shell whose disk takes everything at once.
void run(TransactionCoordinator& coordinator, TransactionEffects effects, const Now& now) {
  for (auto& action : effects.actions) {
    if (const auto* write = std::get_if<WriteId>(&action)) {
      (void)coordinator.record_of(*write);
      run(coordinator, coordinator.written(*write, now), now);
    } else {
      const auto number = std::get<MarkerOrder>(action).number;
      run(coordinator, coordinator.markers_sent(number, now), now);
    }
  }
}

/// Splits the input: [key length u8][key][value length u16][value]…
void load(std::string_view bytes) {
  TransactionCoordinator coordinator({});
  Now now{.mono = MonoTime(std::chrono::hours(1)), .wall_ms = 1};
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
        fuzz::bounded_by(record_factor * (key.size() + value.size()) + fuzz::allocation_bound(0),
                         [&] { return decode_transaction(key, value); });
    if (decoded && *decoded) read_again(**decoded);
    (void)coordinator.load(key, said == 0xffff ? std::nullopt : std::optional(value), now);
  }
  run(coordinator, coordinator.loaded(now), now);
  for (int i = 0; i < 1000 && coordinator.next_deadline() < now.mono + std::chrono::hours(1); ++i) {
    now.mono = std::max(now.mono, coordinator.next_deadline());
    run(coordinator, coordinator.on_timer(now), now);
  }
}

}  // namespace
}  // namespace weir::coordinator

void weir::fuzz::input(std::string_view bytes) {
  weir::set_log_level(weir::LogLevel::off);
  weir::coordinator::load(bytes);
}
