// The log under idempotent producers, readers and forged requests.
#include <fmt/core.h>

#include <map>
#include <optional>

#include "base/check.h"
#include "kafka/batch_builder.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/produce.h"
#include "kafka/record_batch.h"
#include "producer.h"

namespace weir::tests {
namespace {

constexpr int topics = 2;
constexpr int partitions_of_topic = 2;
constexpr Duration fault_period = 3s;

/// Reads every partition from its start, over and over; in the end up to the high watermarks.
class Consumer final : public Actor {
 public:
  Consumer(World& world, sim::History& history, int number, bool final)
      : Actor(world, "consumer " + std::to_string(number)),
        history_(history),
        number_(number),
        final_(final) {}
  bool at_end() const {
    if (ends_.size() < topics * partitions_of_topic) return false;
    for (const auto& [key, end] : ends_)
      if (offset_of(key) < end) return false;
    return true;
  }

 private:
  std::int64_t offset_of(const Key& key) const {
    const auto found = offsets_.find(key);
    return found == offsets_.end() ? 0 : found->second;
  }

  void on_connected() override {
    version_ = static_cast<std::int16_t>(world_.rng.between(4, 12));
    fetch();
  }

  void fetch() {
    if (!connected()) return;
    kafka::FetchRequest request;
    request.max_wait_ms = final_ ? 10 : static_cast<std::int32_t>(world_.rng.below(300));
    request.min_bytes = static_cast<std::int32_t>(world_.rng.below(2000));
    request.max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(5000));
    std::vector<std::string> names;
    for (int t = 0; t < topics; ++t) names.push_back(topic_name(t));
    for (int t = 0; t < topics; ++t) {
      auto& topic = request.topics.emplace_back();
      topic.topic = names[static_cast<std::size_t>(t)];
      for (std::int32_t p = 0; p < partitions_of_topic; ++p) {
        auto& partition = topic.partitions.emplace_back();
        partition.partition = p;
        partition.fetch_offset = offset_of({t, p});
        partition.partition_max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(3000));
      }
    }
    ask<kafka::FetchResponse>(request, version_, [this](const auto& response) {
      for (const auto& topic : response.responses)
        for (const auto& partition : topic.partitions) note(std::string(topic.topic), partition);
      if (world_.rng.one_in(20) && !final_) offsets_.clear();
      later(Duration(world_.rng.between(1, 20'000'000)), [this] { fetch(); });
    });
  }

  void note(const std::string& topic, const kafka::FetchResponse::PartitionData& data) {
    const Key key{topic_of(topic), data.partition_index};
    const std::string name = name_of_partition(key);
    if (data.error_code != 0) {
      const Errc code = errc_from_wire(data.error_code);
      const bool before_creation = code == Errc::unknown_topic_or_partition;
      if (code == Errc::corrupt_message && world_.loss &&
          world_.loss->holds(name, offset_of(key))) {
        offsets_[key] = world_.loss->last + 1;  // as the log tells a person to
        return;
      }
      if (!before_creation && code != Errc::kafka_storage_error)
        world_.anomaly(fmt::format("lawful-answer: a fetch of {} at {} got {}", name,
                                   offset_of(key), name_of(code)));
      return;
    }
    history_.watermarks.push_back({name, data.high_watermark});
    ends_[key] = data.high_watermark;
    kafka::BatchCursor cursor(data.records.bytes());
    kafka::BatchView batch;
    for (;;) {
      auto more = cursor.next(batch);
      if (!more || (*more && !batch.crc_is_right())) {
        world_.anomaly(fmt::format("durable-prefix: {} at {}: a damaged batch is served", name,
                                   offset_of(key)));
        return;
      }
      if (!*more) break;
      auto reader = kafka::RecordReader::open(batch).value();
      kafka::RecordView record;
      while (reader.next(record)) {
        if (record.offset < offset_of(key)) continue;
        if (record.offset >= data.high_watermark)
          world_.anomaly(fmt::format("HW: {}/{} is at or above the high watermark {}", name,
                                     record.offset, data.high_watermark));
        const std::string value(record.value.value_or(""));
        history_.seen.push_back({number_, name, record.offset, value});
        if (final_) {
          history_.final_read[name][record.offset] = value;
          history_.epochs[value] = batch.leader_epoch();
        }
        offsets_[key] = record.offset + 1;
      }
    }
  }

  sim::History& history_;
  int number_;
  bool final_;
  std::int16_t version_ = 11;
  std::map<Key, std::int64_t> offsets_;
  std::map<Key, std::int64_t> ends_;
};

/// Sends what no honest client sends: cut bodies, wrong counts, unknown APIs, repeated frames.
class Meddler final : public Actor {
 public:
  explicit Meddler(World& world) : Actor(world, "meddler") {}
  void finish() { ending_ = true; }

 private:
  void on_connected() override { meddle(); }
  void meddle() {
    if (ending_ || !connected()) return;
    ++world_.counters[Count::forged_requests];
    Rng& rng = world_.rng;
    const auto ignore = [](Result<Slice>, std::int16_t) {};
    switch (rng.below(5)) {
      case 0:
        client_->send(static_cast<std::int16_t>(rng.below(100)),
                      static_cast<std::int16_t>(rng.below(20)), "", ignore);
        break;
      case 1:
        client_->send_frame(std::string(1 + rng.below(40), static_cast<char>(rng.next())));
        break;
      case 2: {
        kafka::MetadataRequest request;
        request.topics.reset();
        std::string body;
        check(kafka::encode_all(request, 9, body).has_value(), "a request");
        client_->send(3, 9, body.substr(0, rng.below(body.size())), ignore);
        break;
      }
      case 3: {  // a batch whose records say something else than its header
        kafka::BatchBuilder builder;
        builder.append(1, std::nullopt, std::string_view("forged"));
        std::string batch(builder.finish({}).value().view());
        batch[rng.below(batch.size())] = static_cast<char>(rng.next());
        if (batch.find("forged") == std::string::npos || batch[12] == 0) {
          kafka::ProduceRequest request;
          request.transactional_id.reset();
          request.acks = -1;
          auto& topic = request.topic_data.emplace_back();
          topic.name = "no-such-topic";
          topic.partition_data.emplace_back().records = kafka::Records(batch);
          client_->call<kafka::ProduceResponse>(request, 8, [](Result<kafka::ProduceResponse>) {});
        }
        break;
      }
      default: client_->send_frame(client_->last_frame().empty() ? "x" : client_->last_frame());
    }
    if (planned_) return;
    planned_ = true;
    loop().call_after(Duration(rng.between(1'000'000, 100'000'000)), [this] {
      planned_ = false;
      meddle();
    });
  }
  bool planned_ = false;
  bool ending_ = false;
};

/// A bit of a batch in the middle of a segment flips, while no process runs. Nothing: there is no
/// batch with others behind it.
std::optional<Loss> damage_a_batch(World& world) {
  const std::string partition =
      name_of_partition({static_cast<int>(world.rng.below(topics)),
                         static_cast<std::int32_t>(world.rng.below(partitions_of_topic))});
  const std::string folder = "data/" + partition;
  std::vector<std::string> logs;
  const auto entries = world.sim.files().list(folder);
  if (!entries) return std::nullopt;
  for (const auto& entry : *entries)
    if (entry.name.ends_with(".log")) logs.push_back(folder + "/" + entry.name);
  if (logs.empty()) return std::nullopt;
  const std::string& path = logs[world.rng.below(logs.size())];
  const std::string content = world.sim.files().durable_content(path);
  struct Found {
    Loss loss;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::vector<Found> batches;
  kafka::BatchCursor cursor(content);
  kafka::BatchView batch;
  std::uint64_t at = 0;
  while (cursor.next(batch).value_or(false) && batch.crc_is_right()) {
    const std::uint64_t end = at + batch.bytes().size();
    batches.push_back({{partition, batch.base_offset(), batch.last_offset()}, at, end});
    at = end;
  }
  if (batches.size() < 2) return std::nullopt;
  batches.pop_back();
  const Found& chosen =
      batches[batches.size() - 1 - world.rng.below(std::min<std::size_t>(8, batches.size()))];
  const std::uint64_t where = chosen.begin + world.rng.below(chosen.end - chosen.begin);
  const char changed = static_cast<char>(content[where] ^ (1 << world.rng.below(8)));
  world.sim.files().damage(path, where, std::string_view(&changed, 1));
  if (world.traced())
    world.trace(fmt::format("fault: a bit of {} flips at {}, in {} to {}", path, where,
                            chosen.loss.first, chosen.loss.last));
  return chosen.loss;
}

/// What the damaged batch held may be gone, and nothing else.
void forgive(sim::History& history, const Loss& loss) {
  std::erase_if(history.sends, [&](const sim::Send& send) {
    return send.outcome == sim::Outcome::ok && loss.holds(send.partition, send.base_offset);
  });
  std::erase_if(history.seen,
                [&](const sim::Seen& seen) { return loss.holds(seen.partition, seen.offset); });
}

SimResult run(World& world) {
  sim::History history;
  world.start_broker();
  std::vector<Admin::Topic> wanted;
  for (int t = 0; t < topics; ++t)
    wanted.push_back({topic_name(t), partitions_of_topic, {{"retention.ms", "-1"}}});
  Admin admin(world, std::move(wanted));
  admin.start();
  if (!world.run_until([&] { return admin.done(); }))
    return world.result({"progress: topics cannot be created"});
  std::vector<std::unique_ptr<Producer>> producers;
  for (int i = 0; i < 4; ++i)
    producers.push_back(std::make_unique<Producer>(
        world, history, Producer::Options{.number = i, .idempotent = i != 3}));
  Consumer first(world, history, 0, false);
  Consumer second(world, history, 1, false);
  Meddler meddler(world);
  for (auto& producer : producers) producer->start();
  first.start();
  second.start();
  meddler.start();
  world.run_through({.length = fault_period, .crashes = 2 + static_cast<int>(world.rng.below(3))});

  for (auto& producer : producers) producer->finish();
  meddler.finish();
  if (!world.settle([&] {
        return std::all_of(producers.begin(), producers.end(),
                           [](const auto& p) { return p->quiet(); });
      }))
    world.anomaly("progress: batches are never answered after the faults are over");
  Consumer reader(world, history, 99, true);
  reader.start();
  if (!world.run_until([&] { return reader.at_end(); }))
    world.anomaly("unseen: the log cannot be read to its end");
  // Everything once more after a power cut: what readers saw must not depend on the page cache.
  // With damage in the middle of a segment, what stands around it must be there.
  world.power_cut();
  if (world.rng.one_in(2)) world.loss = damage_a_batch(world);
  if (world.loss) ++world.counters[Count::damaged_batches];
  world.start_broker();
  history.final_read.clear();
  Consumer last(world, history, 100, true);
  last.start();
  if (!world.run_until([&] { return last.at_end(); }))
    world.anomaly("unseen: the log cannot be read after the last power cut");
  // It may come back from the write-ahead log when somebody has missed it already.
  if (world.loss) forgive(history, *world.loss);
  history.gapless = !world.loss;
  return world.result(sim::check_history(history));
}

}  // namespace

SimResult run_log_world(std::uint64_t seed, const TraceSink& trace) {
  const QuietLog quiet;
  World world(seed, trace);
  return run(world);
}

}  // namespace weir::tests
