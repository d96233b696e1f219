#include "client/consumer_core.h"

#include <fmt/core.h>

#include <algorithm>

#include "client/batch_access.h"
#include "client/offset_lookup.h"

namespace weir::client {
namespace {

constexpr std::int64_t latest = -1, earliest = -2;
constexpr auto lookup_patience = std::chrono::seconds(30);
constexpr auto full_pause = std::chrono::milliseconds(5);  // between looks at a full budget

std::string text_of(const TopicPartition& name) {
  return fmt::format("{}-{}", name.topic, name.partition);
}

/// What a batch keeps alive, counted while it lives.
struct Held {
  Slice bytes;
  std::shared_ptr<FetchBudget> budget;
  Held(Slice b, std::shared_ptr<FetchBudget> where)
      : bytes(std::move(b)), budget(std::move(where)) {
    budget->add(bytes.size());
  }
  ~Held() { budget->remove(bytes.size()); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
};

}  // namespace

Result<ConsumerOptions> checked(ConsumerOptions options) {
  const auto bad = [](std::string_view name, std::string_view want) {
    return fail(Errc::invalid_setting, fmt::format("consumer option {}: want {}", name, want));
  };
  if (options.fetch_min_bytes < 0) return bad("fetch_min_bytes", "0 or more");
  if (options.fetch_max_bytes < 1) return bad("fetch_max_bytes", "1 or more");
  if (options.max_partition_fetch_bytes < 1) return bad("max_partition_fetch_bytes", "1 or more");
  if (options.prefetch_bytes < 1) return bad("prefetch_bytes", "1 or more");
  if (options.fetch_max_wait < std::chrono::milliseconds(0))
    return bad("fetch_max_wait", "0 or more");
  if (options.request_timeout <= options.fetch_max_wait)
    return bad("request_timeout", "more than fetch_max_wait");
  return options;
}

ConsumerCore::ConsumerCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster,
                           ConsumerOptions options)
    : loop_(loop), options_(options), cluster_(loop, transport, rng, std::move(cluster)) {
  cluster_.on_metadata([this](const Result<void>&) { pump(); });
}

ConsumerCore::~ConsumerCore() {
  *alive_ = false;
  loop_.cancel(poll_timer_);
  loop_.cancel(pump_timer_);
  if (waiting_) std::exchange(waiting_, {})(fail(Errc::closed, "the consumer is closed"));
}

ConsumerCore::Partition* ConsumerCore::find(const TopicPartition& name) {
  const auto found = partitions_.find(name);
  return found == partitions_.end() ? nullptr : &found->second;
}

void ConsumerCore::reset(Partition& partition, std::int64_t to) {
  partition.generation = ++last_generation_;
  partition.ready.clear();
  partition.error.reset();
  partition.looking_up = false;
  partition.not_before = {};
  if (to >= 0) {
    partition.next = partition.fetch_from = to;
  } else {
    partition.next.reset();
    partition.reset_to = to;
  }
}

void ConsumerCore::assign(const std::vector<TopicPartition>& wanted) {
  std::map<TopicPartition, Partition> next;
  for (const auto& name : wanted) {
    auto node = partitions_.extract(name);
    if (!node.empty()) {
      next.insert(std::move(node));
      continue;
    }
    Partition& partition = next[name];
    partition.name = name;
    partition.shared_name = std::make_shared<const TopicPartition>(name);  // shared with batches
    reset(partition, options_.auto_offset_reset == OffsetReset::latest ? latest : earliest);
    cluster_.watch(name.topic);
  }
  partitions_ = std::move(next);
  pump();
}

std::vector<TopicPartition> ConsumerCore::assignment() const {
  std::vector<TopicPartition> out;
  for (const auto& [name, partition] : partitions_) out.push_back(name);
  return out;
}

Result<void> ConsumerCore::seek(const TopicPartition& name, std::int64_t offset) {
  Partition* partition = find(name);
  if (partition == nullptr)
    return fail(Errc::invalid_argument, text_of(name) + ": is not assigned to this consumer");
  if (offset < earliest)
    return fail(Errc::invalid_argument,
                fmt::format("{}: offset {} is negative", text_of(name), offset));
  reset(*partition, offset);
  pump();
  return {};
}

Result<void> ConsumerCore::pause(const std::vector<TopicPartition>& names, bool paused) {
  for (const auto& name : names)
    if (find(name) == nullptr)
      return fail(Errc::invalid_argument, text_of(name) + ": is not assigned to this consumer");
  for (const auto& name : names) find(name)->paused = paused;
  if (!paused) {
    (void)answer_poll(false);
    pump();
  }
  return {};
}

std::optional<std::int64_t> ConsumerCore::lag(const TopicPartition& name) const {
  const auto found = partitions_.find(name);
  if (found == partitions_.end() || !found->second.next || !found->second.end) return std::nullopt;
  return std::max<std::int64_t>(0, *found->second.end - *found->second.next);
}

void ConsumerCore::position(const TopicPartition& name, MonoTime deadline,
                            std::move_only_function<void(Result<std::int64_t>)> done) {
  Partition* partition = find(name);
  if (partition == nullptr)
    return done(fail(Errc::invalid_argument, text_of(name) + ": is not assigned to this consumer"));
  if (partition->next) return done(*partition->next);
  look_up_offset(
      cluster_, name, partition->reset_to, deadline,
      [this, name, generation = partition->generation,
       done = std::move(done)](Result<std::optional<OffsetAndTimestamp>> found) mutable {
        if (!found) return done(fail(found.error()));
        Partition* still = find(name);
        if (still == nullptr)
          return done(fail(Errc::invalid_argument, text_of(name) + ": is not assigned any more"));
        if (still->generation == generation && !still->next) {
          reset(*still, *found ? (*found)->offset : 0);
          pump();
        }
        done(still->next.value_or(*found ? (*found)->offset : 0));
      });
}

void ConsumerCore::look_up(Partition& partition) {
  partition.looking_up = true;
  look_up_offset(cluster_, partition.name, partition.reset_to, loop_.now() + lookup_patience,
                 [this, name = partition.name, generation = partition.generation](
                     Result<std::optional<OffsetAndTimestamp>> found) {
                   Partition* still = find(name);
                   if (still == nullptr || still->generation != generation) return;
                   still->looking_up = false;
                   if (!found) {
                     still->error = found.error();
                     back_off(*still);
                     (void)answer_poll(false);
                     return;
                   }
                   still->next = still->fetch_from = *found ? (*found)->offset : 0;
                   pump();
                 });
}

// Sends what can be sent: look-ups for partitions without a position, one fetch to each broker.
void ConsumerCore::pump() {
  const MonoTime now = loop_.now();
  std::map<std::int32_t, std::vector<Partition*>> by_node;
  MonoTime again = MonoTime::max();
  const bool full = budget_->used() >= options_.prefetch_bytes;
  for (auto& [name, partition] : partitions_) {
    if (partition.not_before > now) {
      again = std::min(again, partition.not_before);
      continue;
    }
    if (!partition.next) {
      if (!partition.looking_up && !partition.error) look_up(partition);
      continue;
    }
    if (partition.paused || partition.error || !partition.ready.empty()) continue;
    const auto leader = cluster_.metadata().leader(name.topic, name.partition);
    if (!leader || cluster_.node(*leader, Lane::data) == nullptr) {
      const TopicInfo* topic = cluster_.metadata().topic(name.topic);
      if (topic != nullptr && topic->error != Errc::none && !is_retriable(topic->error)) {
        partition.error =
            Error(topic->error, fmt::format("{}: {}", text_of(name), name_of(topic->error)));
        (void)answer_poll(false);
      }
      continue;  // the next metadata pumps again
    }
    if (!full && !fetching_[*leader]) by_node[*leader].push_back(&partition);
  }
  for (auto& [node, list] : by_node) fetch(node, list);
  if (full && !partitions_.empty()) again = std::min(again, now + Duration(full_pause));
  loop_.cancel(std::exchange(pump_timer_, io::TimerId::none));
  if (again != MonoTime::max())
    pump_timer_ = loop_.call_at(again, [this] {
      pump_timer_ = io::TimerId::none;
      pump();
    });
}

void ConsumerCore::fetch(std::int32_t node, const std::vector<Partition*>& list) {
  auto request = std::make_shared<kafka::FetchRequest>();
  request->replica_id = -1;
  request->max_wait_ms = static_cast<std::int32_t>(options_.fetch_max_wait.count());
  request->min_bytes = options_.fetch_min_bytes;
  request->max_bytes = options_.fetch_max_bytes;
  Questions questions;
  bool all_have_ids = true;
  for (Partition* partition : list) {
    const TopicInfo* info = cluster_.metadata().topic(partition->name.topic);
    const TopicId id = info == nullptr ? TopicId{} : info->id;
    all_have_ids = all_have_ids && !id.is_zero();
    auto topic = std::find_if(request->topics.begin(), request->topics.end(),
                              [&](const auto& t) { return t.topic == partition->name.topic; });
    if (topic == request->topics.end()) {
      topic = request->topics.emplace(request->topics.end());
      topic->topic = request->keep(partition->name.topic);
      topic->topic_id = id;
    }
    auto& asked = topic->partitions.emplace_back();
    asked.partition = partition->name.partition;
    asked.fetch_offset = partition->fetch_from;
    asked.partition_max_bytes = options_.max_partition_fetch_bytes;
    questions.push_back({.name = partition->name,
                         .generation = partition->generation,
                         .offset = partition->fetch_from});
  }
  fetching_[node] = true;
  constexpr std::int16_t last_with_names = 12;
  cluster_.node(node, Lane::data)
      ->send(make_call<kafka::FetchRequest, kafka::FetchResponse>(
          request, options_.request_timeout,
          [this, node, request,
           questions = std::move(questions)](Result<Reply<kafka::FetchResponse>> reply) {
            // By ids the answer has no names: the request, which has both, gives them back.
            if (reply)
              for (auto& topic : reply->message.responses)
                for (const auto& asked : request->topics)
                  if (reply->version > last_with_names && asked.topic_id == topic.topic_id)
                    topic.topic = asked.topic;
            on_fetched(node, questions, std::move(reply));
          },
          all_have_ids ? kafka::FetchRequest::max_version : last_with_names));
}

void ConsumerCore::on_fetched(std::int32_t node, const Questions& questions,
                              Result<Reply<kafka::FetchResponse>> reply) {
  fetching_[node] = false;
  if (!reply || reply->message.error_code != 0) {
    for (const auto& asked : questions)
      if (Partition* partition = find(asked.name)) back_off(*partition);
    cluster_.refresh();
    return pump();
  }
  const std::shared_ptr<const void> frame =
      std::make_shared<const Held>(reply->frame, budget_);  // with batches
  for (const auto& topic : reply->message.responses)
    for (const auto& data : topic.partitions)
      for (const auto& asked : questions)
        if (asked.name.partition == data.partition_index && asked.name.topic == topic.topic)
          take(asked, data, frame);
  (void)answer_poll(false);
  pump();
}

void ConsumerCore::take(const Asked& asked, const kafka::FetchResponse::PartitionData& data,
                        const std::shared_ptr<const void>& frame) {
  Partition* partition = find(asked.name);
  if (partition == nullptr || partition->generation != asked.generation ||
      partition->fetch_from != asked.offset)
    return;
  const Errc code = errc_from_wire(data.error_code);
  if (code != Errc::none) return on_partition_error(*partition, code);
  partition->end = data.high_watermark;
  if (auto r = take_batches(*partition, data.records.bytes(), frame); !r)
    partition->error = r.error();
}

void ConsumerCore::on_partition_error(Partition& partition, Errc code) {
  if (code == Errc::offset_out_of_range) {
    if (options_.auto_offset_reset != OffsetReset::none)
      return reset(partition,
                   options_.auto_offset_reset == OffsetReset::latest ? latest : earliest);
    partition.error = Error(code, fmt::format("{}: offset {} is not there; seek to one that is",
                                              text_of(partition.name), partition.fetch_from));
    return;
  }
  if (is_retriable(code) && code != Errc::corrupt_message) {
    back_off(partition);
    return cluster_.refresh();
  }
  partition.error = Error(code, fmt::format("{} at offset {}: {}", text_of(partition.name),
                                            partition.fetch_from, name_of(code)));
}

void ConsumerCore::back_off(Partition& partition) {
  partition.not_before = loop_.now() + cluster_.retry_pause(1);
}

Result<void> ConsumerCore::take_batches(Partition& partition, std::string_view bytes,
                                        const std::shared_ptr<const void>& frame) {
  kafka::BatchCursor cursor(bytes);
  kafka::BatchView batch;
  for (;;) {
    auto more = cursor.next(batch);
    if (!more)
      return fail(more.error().code(), fmt::format("{} at offset {}: {}", text_of(partition.name),
                                                   partition.fetch_from, more.error().message()));
    if (!*more) return {};  // Kafka may end inside a batch: it comes whole with the next fetch
    if (batch.next_offset() <= partition.fetch_from) continue;
    if (auto r = take_batch(partition, batch, frame); !r) return r;
    partition.fetch_from = batch.next_offset();
    if (partition.ready.empty())
      partition.next = partition.fetch_from;  // a control batch, or nothing left of it
  }
}

Result<void> ConsumerCore::take_batch(Partition& partition, const kafka::BatchView& batch,
                                      const std::shared_ptr<const void>& frame) {
  const auto bad = [&](Errc code, std::string_view what) {
    return fail(code, fmt::format("{}: the batch at offset {}: {}", text_of(partition.name),
                                  batch.base_offset(), what));
  };
  if (options_.check_crcs && !batch.crc_is_right())
    return bad(Errc::corrupt_message, "its checksum is wrong");
  if (batch.is_control()) return {};
  auto reader = kafka::RecordReader::open(batch);
  if (!reader) return bad(reader.error().code(), reader.error().message());
  const bool compressed = !reader->decompressed().empty();
  const std::string_view records = compressed ? reader->decompressed().view() : batch.payload();
  // Walks every record once: what is handed out is well formed, and begins at the position.
  const char* first = records.data();
  const char* at = records.data();
  std::int32_t left = batch.record_count();
  kafka::RecordView record;
  while (reader->next(record)) {
    std::string_view rest(at, static_cast<std::size_t>(records.data() + records.size() - at));
    std::int32_t size = 0;
    if (!take_varint(rest, size)) return bad(Errc::invalid_record, "a record is malformed");
    at = rest.data() + size;
    if (record.offset >= partition.fetch_from) continue;
    first = at;
    --left;
  }
  if (reader->error() != nullptr) return bad(reader->error()->code(), reader->error()->message());
  if (left <= 0) return {};
  std::shared_ptr<const void> held = frame;
  if (compressed)
    held = std::make_shared<const Held>(reader->decompressed(), budget_);  // with batches
  Batch out = detail::BatchAccess::make(
      partition.shared_name, std::move(held), first,
      static_cast<std::size_t>(records.data() + records.size() - first), left);
  detail::BatchAccess::set_base(
      out, batch.base_offset(),
      batch.is_log_append_time() ? batch.max_timestamp() : batch.base_timestamp(),
      batch.is_log_append_time());
  detail::BatchAccess::set_end(out, batch.next_offset(), batch.leader_epoch());
  partition.ready.push_back(std::move(out));
  return {};
}

Result<std::vector<Batch>> ConsumerCore::collect() {
  std::vector<Batch> out;
  std::size_t bytes = 0;
  // Round robin over partitions, beginning behind the one that was served last.
  std::vector<Partition*> order;
  const auto start = partitions_.upper_bound(last_served_);
  for (auto it = start; it != partitions_.end(); ++it) order.push_back(&it->second);
  for (auto it = partitions_.begin(); it != start; ++it) order.push_back(&it->second);
  for (Partition* partition : order) {
    if (partition->paused) continue;
    while (!partition->ready.empty() && (out.empty() || bytes < options_.max_poll_bytes)) {
      bytes += partition->ready.front().size_bytes();
      partition->next = partition->ready.front().next_offset();
      last_served_ = partition->name;
      out.push_back(std::move(partition->ready.front()));
      partition->ready.pop_front();
    }
  }
  if (!out.empty()) return out;
  for (Partition* partition : order)
    if (partition->error && !partition->paused) {
      Error error = std::move(*partition->error);
      partition->error.reset();
      back_off(*partition);
      return fail(std::move(error));
    }
  return out;
}

bool ConsumerCore::answer_poll(bool deadline_reached) {
  if (!waiting_) return false;
  auto collected = collect();
  if (collected && collected->empty()) {
    if (!deadline_reached) return false;
    if (budget_->used() >= options_.prefetch_bytes)
      collected = fail(
          Errc::queue_full,
          fmt::format("the batches that are held take {} bytes, prefetch_bytes is {}; let some go",
                      budget_->used(), options_.prefetch_bytes));
  }
  loop_.cancel(std::exchange(poll_timer_, io::TimerId::none));
  auto done = std::exchange(waiting_, {});
  done(std::move(collected));
  return true;
}

void ConsumerCore::poll(MonoTime deadline, PollDone done) {
  if (waiting_) return done(fail(Errc::invalid_argument, "two polls of one consumer at a time"));
  waiting_ = std::move(done);
  if (answer_poll(loop_.now() >= deadline)) return pump();
  poll_timer_ = loop_.call_at(deadline, [this] {
    poll_timer_ = io::TimerId::none;
    (void)answer_poll(true);
    pump();
  });
  pump();
}

}  // namespace weir::client
