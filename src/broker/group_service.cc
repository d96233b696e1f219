#include "broker/group_service.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/internal_streams.h"
#include "kafka/batch_builder.h"
#include "kafka/record_batch.h"

namespace weir::broker {
namespace {

/// A batch is closed when it has reached this size; one write is never split.
constexpr std::size_t batch_bytes = 512U << 10U;

coordinator::GroupOptions options_from(const config::Settings& settings) {
  coordinator::GroupOptions options;
  options.min_session_timeout_ms = settings.get_int32("group.min.session.timeout.ms");
  options.max_session_timeout_ms = settings.get_int32("group.max.session.timeout.ms");
  options.initial_rebalance_delay = settings.get_ms("group.initial.rebalance.delay.ms");
  options.max_group_size = static_cast<std::size_t>(settings.get_int32("group.max.size"));
  options.offset_metadata_bytes =
      static_cast<std::size_t>(settings.get_int32("offset.metadata.max.bytes"));
  options.offset_retention = std::chrono::minutes(settings.get_int("offsets.retention.minutes"));
  options.expiry_interval = settings.get_ms("offsets.retention.check.interval.ms");
  return options;
}

}  // namespace

GroupService::GroupService(Broker& broker)
    : broker_(broker),
      coordinator_(options_from(broker.options().settings), broker.runtime().rng(),
                   [&broker](std::string_view name, const TopicId& id) {
                     const Topic* topic = broker.metadata().find(name);
                     return topic != nullptr && (id.is_zero() || topic->id == id);
                   }) {}

GroupService::~GroupService() {
  *alive_ = false;
  broker_.loop().cancel(timer_);
}

coordinator::Now GroupService::now() const {
  return {.mono = broker_.now(), .wall_ms = broker_.wall_ms()};
}

Result<void> GroupService::read(log::PartitionLog& log) {
  return read_stream(
      broker_.log(), log,
      {.record =
           [this](const kafka::BatchView& batch, const kafka::RecordView& record) {
             const ProducerId owner(batch.is_transactional() ? batch.producer_id() : -1);
             return coordinator_.load(*record.key, record.value, now(), owner);
           },
       .marker = [this](std::string_view bytes) -> Result<void> {
         auto end = log::end_in(bytes);
         if (!end) return fail(end.error());
         coordinator_.transaction_ended(end->producer, end->commit, now());
         return {};
       }});
}

void GroupService::load() {
  if (const Topic* topic = broker_.metadata().find(offsets_topic)) {
    for (auto* log : topic->logs) {
      if (!log->lost().empty())
        log_error("groups",
                  log->spec().folder_name() +
                      ": records are lost to damage; the groups in it may go back to offsets that "
                      "they committed earlier");
      if (auto r = read(*log); !r) {
        unavailable_ = Error(r.error().code(),
                             fmt::format("{}: {}", log->spec().folder_name(), r.error().message()));
        log_error("groups", unavailable_->message() +
                                "; groups are not served, nothing of the stream is changed");
        return;
      }
    }
    if (coordinator_.group_count() > 0)
      log_info("groups", fmt::format("{} groups with {} offsets are loaded",
                                     coordinator_.group_count(), coordinator_.offset_count()));
  }
  run(coordinator_.loaded(now()));
}

void GroupService::run(coordinator::Effects effects) {
  for (const auto write : effects.writes) unsent_.push_back(write);
  if (!unsent_.empty()) flush_later();
  for (auto& answered : effects.answers) {
    auto node = waiting_.extract(static_cast<std::uint64_t>(answered.request));
    check(!node.empty(), "a request is answered once");
    node.mapped()(std::move(answered.answer));
  }
  arm();
}

void GroupService::arm() {
  if (stopping_) return;
  const MonoTime next = coordinator_.next_deadline();
  if (next == armed_for_) return;
  broker_.loop().cancel(std::exchange(timer_, io::TimerId::none));
  armed_for_ = next;
  if (next == MonoTime::max()) return;
  timer_ = broker_.loop().call_at(next, [this] {
    timer_ = io::TimerId::none;
    armed_for_ = MonoTime::max();
    run(coordinator_.on_timer(now()));
  });
}

// After everything that this turn of the loop brings: commits that come together go together.
void GroupService::flush_later() {
  if (flush_planned_ || creating_) return;
  flush_planned_ = true;
  broker_.loop().post([this, alive = alive_] {
    if (!*alive) return;
    flush_planned_ = false;
    flush();
  });
}

void GroupService::flush() {
  if (unsent_.empty() || creating_) return;
  const Topic* topic = broker_.metadata().find(offsets_topic);
  if (topic == nullptr) {
    creating_ = true;
    return ensure_topic([this, alive = alive_](const Result<void>& made) {
      if (!*alive) return;
      creating_ = false;
      if (made) return flush();
      log_warn("groups",
               fmt::format("{} cannot be made: {}", offsets_topic, made.error().message()));
      const auto lost = std::exchange(unsent_, {});
      end({lost.begin(), lost.end()}, false);
    });
  }
  log::PartitionLog& log = *topic->logs.front();
  while (!unsent_.empty()) {
    std::vector<coordinator::WriteId> writes;
    std::size_t bytes = 0;
    const coordinator::WriteOwner owner = coordinator_.owner_of(unsent_.front());
    while (!unsent_.empty() && bytes < batch_bytes &&
           coordinator_.owner_of(unsent_.front()) == owner) {
      for (const auto& record : coordinator_.records_of(unsent_.front()))
        bytes += record.key.size() + (record.value ? record.value->size() : 0);
      writes.push_back(unsent_.front());
      unsent_.pop_front();
    }
    append(log, owner, std::move(writes));
  }
}

void GroupService::append(log::PartitionLog& log, const coordinator::WriteOwner& owner,
                          std::vector<coordinator::WriteId> writes) {
  kafka::BatchBuilder builder;
  const std::int64_t wall_ms = broker_.wall_ms();
  for (const auto write : writes)
    for (const auto& record : coordinator_.records_of(write))
      builder.append(wall_ms, std::string_view(record.key),
                     record.value ? std::optional<std::string_view>(*record.value) : std::nullopt);
  auto batch = builder.finish({.producer_id = owner.producer.value,
                               .producer_epoch = owner.epoch.value,
                               .transactional = owner.producer.value >= 0});
  check(batch.has_value(), "records of groups make a batch");
  log.append(std::move(*batch), [this, alive = alive_, writes = std::move(writes)](
                                    const Result<log::Appended>& appended) {
    if (!*alive) return;
    if (!appended && broker_.now() - last_warning_ >= std::chrono::seconds(1)) {
      last_warning_ = broker_.now();
      log_warn("groups", "group state is not stored: " + appended.error().message());
    }
    end(writes, appended.has_value());
  });
}

void GroupService::end(const std::vector<coordinator::WriteId>& writes, bool durable) {
  for (const auto write : writes)
    run(durable ? coordinator_.written(write, now()) : coordinator_.failed(write, now()));
}

void GroupService::ensure_topic(std::move_only_function<void(Result<void>)> done) {
  const auto& settings = broker_.options().settings;
  ensure_stream(broker_.metadata(), offsets_topic,
                settings.get_int32("offsets.topic.num.partitions"),
                settings.text("offsets.topic.segment.bytes"), std::move(done));
}

void GroupService::transaction_ended(ProducerId producer, bool commit) {
  if (!unavailable_) coordinator_.transaction_ended(producer, commit, now());
}

void GroupService::topic_deleted(std::string_view name, const TopicId& id) {
  if (!unavailable_) run(coordinator_.topic_deleted(name, id, now()));
}

void GroupService::stop() {
  stopping_ = true;
  broker_.loop().cancel(std::exchange(timer_, io::TimerId::none));
  run(coordinator_.answer_parked());
}

}  // namespace weir::broker
