#include "registry/journal.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/log.h"

namespace weir::registry {
namespace {

constexpr std::chrono::milliseconds poll_time{250};
constexpr auto retry_pause = std::chrono::seconds(1);
constexpr auto progress_interval = std::chrono::seconds(5);

/// What one poll has brought.
struct Haul {
  std::vector<StreamRecord> records;
  std::vector<StreamRecord> readers;
  std::int64_t position = 0;
};

Result<void> make_topic(Admin& admin, const NewTopic& topic) {
  auto made = admin.create_topic(topic);
  if (made) log_info("registry", "made the topic " + topic.name);
  if (!made && made.error().code() != Errc::topic_already_exists)
    return fail(made.error().code(),
                fmt::format("topic {}: {}", topic.name, made.error().message()));
  return {};
}

/// A registry whose stream is deleted by age, or is spread over partitions, loses schemas.
Result<void> check_topic(Admin& admin, const std::string& name) {
  const auto topic = admin.describe_topic(name);
  if (!topic) return fail(topic.error());
  if (topic->partitions.size() != 1)
    return fail(Errc::invalid_setting,
                fmt::format("topic {}: a registry needs one partition, it has {}", name,
                            topic->partitions.size()));
  const auto settings = admin.describe_configs(ConfigResource::topic, name);
  if (!settings) return fail(settings.error());
  for (const ConfigEntry& entry : *settings)
    if (entry.name == "cleanup.policy" && entry.value != "compact")
      return fail(Errc::invalid_setting,
                  fmt::format("topic {}: cleanup.policy is {}, which would lose schemas; want "
                              "compact: weir topic alter {} --set cleanup.policy=compact",
                              name, entry.value.value_or("?"), name));
  return {};
}

}  // namespace

/// Readers and writers use parts of their own; what they share never changes after the start.
struct Journal::State {
  State(Client& the_client, JournalOptions the_options)
      : client(the_client), options(std::move(the_options)) {}

  TopicPartition place() const { return {options.topic, 0}; }
  TopicPartition readers_place() const { return {options.readers_topic, 0}; }

  Result<void> open() {
    Admin& admin = client.admin();
    if (auto r = make_topic(admin, {.name = options.topic,
                                    .partitions = 1,
                                    .replication_factor = options.replication_factor,
                                    .cleanup = Cleanup::compact,
                                    .settings = {}});
        !r)
      return r;
    if (auto r = check_topic(admin, options.topic); !r) return r;
    // The history of contracts is small and is what people look for years later.
    if (auto r = make_topic(admin, {.name = options.changes_topic,
                                    .partitions = 1,
                                    .replication_factor = options.replication_factor,
                                    .cleanup = Cleanup::remove,
                                    .settings = {{"retention.ms", "-1"}}});
        !r)
      return r;
    auto opened = client.consumer(
        {.auto_offset_reset = OffsetReset::earliest, .isolation = Isolation::read_committed});
    if (!opened) return fail(opened.error());
    consumer.emplace(std::move(*opened));
    if (auto r = consumer->assign({place()}); !r) return r;
    if (auto r = consumer->seek_to_beginning(place()); !r) return r;
    const auto ends = consumer->end_offsets({place()}, options.timeout);
    if (!ends) return fail(ends.error());
    end_at_start = ends->at(place());
    if (auto r = open_readers(); !r) give_up_readers(r.error());
    return {};
  }

  /// What readers say only makes refusals better: schemas are served without it.
  Result<void> open_readers() {
    if (auto r = make_topic(client.admin(), {.name = options.readers_topic,
                                             .partitions = 1,
                                             .replication_factor = options.replication_factor,
                                             .cleanup = Cleanup::compact,
                                             .settings = {}});
        !r)
      return r;
    auto opened = client.consumer({.auto_offset_reset = OffsetReset::earliest});
    if (!opened) return fail(opened.error());
    readers.emplace(std::move(*opened));
    if (auto r = readers->assign({readers_place()}); !r) return r;
    return readers->seek_to_beginning(readers_place());
  }
  void give_up_readers(const Error& why) {
    readers.reset();
    log_warn("registry", fmt::format("{}: {}; refusals name no consumers until the next start",
                                     options.readers_topic, why.message()));
  }

  static void take(const std::vector<Batch>& batches, std::vector<StreamRecord>& records) {
    for (const Batch& batch : batches)
      for (const RecordView& record : batch) {
        StreamRecord& out = records.emplace_back();
        if (record.key()) out.key = std::string(*record.key());
        if (record.value()) out.value = std::string(*record.value());
        out.offset = record.offset();
        out.timestamp_ms = record.timestamp_ms();
      }
  }

  Result<Haul> poll() {
    Haul haul;
    const auto batches = consumer->poll(poll_time);
    if (!batches) return fail(batches.error());
    take(*batches, haul.records);
    if (readers) {
      const auto said = readers->poll(std::chrono::milliseconds(0));
      if (said) take(*said, haul.readers);
      if (!said && !said.error().retriable()) give_up_readers(said.error());
    }
    const auto position = consumer->position(place(), options.timeout);
    if (!position) return fail(position.error());
    haul.position = *position;
    return haul;
  }

  Result<void> open_producer() {
    if (producer) return {};
    // One id for a stream: whoever writes to it last fences all who did before.
    auto opened = client.transactional_producer(
        "weir-registry-" + options.topic,
        {.linger = std::chrono::milliseconds(0), .max_block = options.timeout});
    if (!opened) return fail(opened.error());
    producer.emplace(std::move(*opened));
    return {};
  }

  Result<std::int64_t> append(const std::vector<Record>& records,
                              const std::vector<Record>& changes) {
    auto offset = try_append(records, changes);
    // Another producer of this id finds out what has become of this one's transaction.
    if (!offset) producer.reset();
    return offset;
  }

  Result<std::int64_t> try_append(const std::vector<Record>& records,
                                  const std::vector<Record>& changes) {
    if (auto r = open_producer(); !r) return fail(r.error());
    if (auto r = producer->begin(); !r) return fail(r.error());
    const auto send = [&](const std::string& topic, const Record& record, DeliveryCallback done) {
      ProducerRecord out{.topic = topic, .key = record.key, .partition = 0};
      if (record.value) out.value = *record.value;
      return producer->send(out, std::move(done));
    };
    // Written on the client's thread, read after the commit.
    const auto last = std::make_shared<std::atomic<std::int64_t>>(-1);
    for (const Record& record : records) {
      const auto noted = [last](const Result<RecordMetadata>& sent) {
        if (sent) last->store(std::max(last->load(), sent->offset));
      };
      if (auto r = send(options.topic, record, noted); !r) return fail(r.error());
    }
    for (const Record& change : changes)
      if (auto r = send(options.changes_topic, change, {}); !r) return fail(r.error());
    if (auto r = producer->commit(options.timeout); !r) return fail(r.error());
    if (last->load() < 0)
      return fail(Errc::unknown_server_error, "the broker did not say where the records stand");
    return last->load();
  }

  Client& client;
  const JournalOptions options;
  std::atomic<bool> stopping = false;
  // Of the reader.
  std::optional<Consumer> consumer;
  std::optional<Consumer> readers;  // absent: given up
  std::int64_t end_at_start = 0;
  Result<Haul> hauled;
  // Of the writer.
  std::optional<TransactionalProducer> producer;
  // Of the loop.
  bool caught_up = false;
  MonoTime next_progress{};
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

Journal::Journal(io::Runtime& runtime, Client& client, JournalOptions options,
                 JournalListener& listener)
    : runtime_(runtime),
      listener_(listener),
      state_(std::make_shared<State>(client, std::move(options))),
      reader_(runtime.make_worker("registry-read")),
      writer_(runtime.make_worker("registry-write")) {}

Journal::~Journal() {
  state_->stopping = true;
  *state_->alive = false;
}

void Journal::start() {
  const auto outcome = std::make_shared<Result<void>>();
  reader_->run([state = state_, outcome] { *outcome = state->open(); },
               [this, outcome] {
                 if (!*outcome) return listener_.on_unusable(outcome->error());
                 state_->next_progress = runtime_.loop().now() + progress_interval;
                 read_on();
               });
}

void Journal::read_on() {
  const auto read = [state = state_] {
    if (!state->stopping) state->hauled = state->poll();
  };
  reader_->run(read, [this, alive = state_->alive] {
    if (!*alive || state_->stopping) return;
    auto haul = std::exchange(state_->hauled, Haul{});
    if (!haul) {
      if (haul.error().fatal()) return listener_.on_unusable(haul.error());
      log_warn("registry", fmt::format("reading {}: {}; trying again", state_->options.topic,
                                       haul.error().message()));
      runtime_.loop().call_after(retry_pause, [this, alive] {
        if (*alive) read_on();
      });
      return;
    }
    if (!haul->readers.empty()) listener_.on_readers(haul->readers);
    if (!haul->records.empty()) listener_.on_records(std::move(haul->records));
    const MonoTime now = runtime_.loop().now();
    if (!state_->caught_up && haul->position >= state_->end_at_start) {
      state_->caught_up = true;
      listener_.on_caught_up();
    } else if (!state_->caught_up && now >= state_->next_progress) {
      state_->next_progress = now + progress_interval;
      log_info("registry", fmt::format("reading {}: {} of {}", state_->options.topic,
                                       haul->position, state_->end_at_start));
    }
    if (*alive) read_on();
  });
}

void Journal::append(std::vector<Record> records, std::vector<Record> changes, AppendDone done) {
  const auto outcome = std::make_shared<Result<std::int64_t>>(-1);
  writer_->run([state = state_, outcome, records = std::move(records),
                changes = std::move(changes)] { *outcome = state->append(records, changes); },
               [outcome, alive = state_->alive, done = std::move(done)]() mutable {
                 if (*alive) done(std::move(*outcome));
               });
}

void Journal::fence() {
  writer_->run([state = state_] { state->producer.reset(); }, [] {});
}

}  // namespace weir::registry
