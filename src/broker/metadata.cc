#include "broker/metadata.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "config/topic_settings.h"
#include "kafka/batch_builder.h"
#include "kafka/record_batch.h"

namespace weir::broker {
namespace {

// Kinds of records: the first two bytes of a key.
enum class Kind : std::int16_t {
  topic = 0,
  topic_setting = 1,
  broker_setting = 2,
  producer_block = 3
};
constexpr std::int16_t value_version = 0;
constexpr std::int64_t producer_block_size = 1000;
constexpr std::int64_t restored_producer_ids = 1'000'000'000;

std::string key_of(Kind kind) {
  std::string key;
  append_be<std::int16_t>(key, static_cast<std::int16_t>(kind));
  return key;
}

std::string key_of(Kind kind, const Uuid& id) {
  return key_of(kind).append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

std::string versioned() {
  std::string value;
  append_be<std::int16_t>(value, value_version);
  return value;
}

Result<std::string_view> body_of(std::string_view value) {
  if (value.size() < 2) return fail(Errc::damaged, "metadata log: a value without a version");
  const auto version = load_be<std::int16_t>(value.data());
  if (version != value_version)
    return fail(Errc::newer_format,
                fmt::format("metadata log: value version {}, this program reads {}", version,
                            value_version));
  return value.substr(2);
}

Uuid uuid_at(std::string_view bytes) {
  Uuid id;
  std::memcpy(id.bytes.data(), bytes.data(), id.bytes.size());
  return id;
}

}  // namespace

std::string topic_name_fault(std::string_view name) {
  if (name.empty()) return "a topic name cannot be empty";
  if (name == "." || name == "..") return "a topic cannot be named '.' or '..'";
  if (name.size() > 249)
    return fmt::format("a topic name has at most 249 characters, this one {}", name.size());
  const bool legal = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  if (!legal)
    return fmt::format("topic name '{}': only a-z, A-Z, 0-9, '.', '_' and '-' are legal",
                       escape_for_log(name));
  return {};
}

bool names_collide(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char x = a[i] == '.' ? '_' : a[i];
    const char y = b[i] == '.' ? '_' : b[i];
    if (x != y) return false;
  }
  return true;
}

bool is_internal_topic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" ||
         name == "__share_group_state";
}

Metadata::Metadata(log::LogStore& log, const config::Settings& broker_settings)
    : log_(log), start_settings_(broker_settings), broker_settings_(broker_settings) {}

log::PartitionSpec Metadata::log_spec() {
  Uuid id;
  id.bytes[15] = 1;  // the id that Kafka reserves for its own metadata log
  log::PartitionSpec spec{
      .id = {.topic = id, .partition = 0}, .topic = "__cluster_metadata", .settings = {}};
  spec.settings.retention_ms = -1;
  spec.settings.segment_bytes = 64U << 20U;
  spec.read_whole = true;
  return spec;
}

MetadataRecord Metadata::topic_record(const TopicId& id, std::string_view name,
                                      std::int32_t partitions) {
  std::string value = versioned();
  append_be<std::int32_t>(value, partitions);
  value += name;
  return {.key = key_of(Kind::topic, id), .value = std::move(value)};
}

MetadataRecord Metadata::topic_deleted(const TopicId& id) {
  return {.key = key_of(Kind::topic, id), .value = {}};
}

MetadataRecord Metadata::topic_setting(const TopicId& id, std::string_view name,
                                       std::optional<std::string> value) {
  MetadataRecord record{.key = key_of(Kind::topic_setting, id) + std::string(name), .value = {}};
  if (value) record.value = versioned() + *value;
  return record;
}

MetadataRecord Metadata::broker_setting(std::string_view name, std::optional<std::string> value) {
  MetadataRecord record{.key = key_of(Kind::broker_setting) + std::string(name), .value = {}};
  if (value) record.value = versioned() + *value;
  return record;
}

MetadataRecord Metadata::producer_block(std::int64_t next) {
  std::string value = versioned();
  append_be<std::int64_t>(value, next);
  return {.key = key_of(Kind::producer_block), .value = std::move(value)};
}

Result<void> Metadata::load() {
  damaged_ = !log_.metadata().lost().empty();
  auto r = log_.for_each_batch(log_.metadata(), [this](std::string_view bytes) -> Result<void> {
    auto batch = kafka::BatchView::parse(bytes);
    if (!batch) return fail(batch.error());
    auto reader = kafka::RecordReader::open(*batch);
    if (!reader) return fail(reader.error());
    kafka::RecordView record;
    while (reader->next(record)) {
      if (!record.key) return fail(Errc::damaged, "metadata log: a record without a key");
      if (auto applied = apply(*record.key, record.value); !applied) return applied;
    }
    if (reader->error() != nullptr) return fail(*reader->error());
    return {};
  });
  if (r && damaged_) r = adopt_folders();
  if (r && log_.restored()) {
    // Ids that were given out since the backup may still be in use.
    producer_block_end_ += restored_producer_ids;
    adopted_.push_back(producer_block(producer_block_end_));
  }
  deleted_.clear();
  next_producer_id_ = producer_block_end_;
  return r;
}

// Topics whose record is gone are known by their folders, with settings that remove nothing. Every
// lost record may have been a block of producer ids.
Result<void> Metadata::adopt_folders() {
  std::int64_t lost_records = 0;
  for (const auto& [from, to] : log_.metadata().lost()) lost_records += to.value - from.value;
  const bool fits = lost_records < std::numeric_limits<std::int32_t>::max();
  producer_block_end_ +=
      (fits ? lost_records : std::numeric_limits<std::int32_t>::max()) * producer_block_size;
  adopted_.push_back(producer_block(producer_block_end_));
  auto found = log_.find_partitions();
  if (!found) return fail(found.error());
  std::map<std::pair<std::string, TopicId>, std::int32_t> partitions;
  for (const auto& folder : *found)
    if (topic_name_fault(folder.topic).empty() && folder.topic != log_spec().topic &&
        folder.id.partition < limits::partitions_per_topic) {
      auto& count = partitions[{folder.topic, folder.id.topic}];
      count = std::max(count, folder.id.partition + 1);
    }
  for (const auto& [topic, count] : partitions) {
    const auto& [name, id] = topic;
    const Topic* known = find(name);
    if (deleted_.contains(id) ||
        (known != nullptr && (known->id != id || known->partitions >= count)))
      continue;
    const std::size_t first = adopted_.size();
    adopted_.push_back(topic_record(id, name, adopted_partitions(name, count)));
    if (known == nullptr) {
      adopted_.push_back(topic_setting(id, "retention.ms", "-1"));
      adopted_.push_back(topic_setting(id, "retention.bytes", "-1"));
      if (is_internal_topic(name))
        adopted_.push_back(topic_setting(id, "cleanup.policy", "compact"));
    }
    for (std::size_t i = first; i < adopted_.size(); ++i)
      if (auto r = apply(adopted_[i].key, adopted_[i].value); !r) return r;
    log_error("broker",
              fmt::format("topic {}: its record in the metadata log is lost to damage; {} "
                          "partitions are known by their folders, its settings are not, "
                          "and nothing of it expires until retention is set",
                          name, find(name)->partitions));
  }
  return {};
}

// Which partition a group belongs to depends on how many there are: those of the broker's own
// streams were made by a setting.
std::int32_t Metadata::adopted_partitions(std::string_view name, std::int32_t found) const {
  std::string_view setting;
  if (name == "__consumer_offsets") setting = "offsets.topic.num.partitions";
  if (name == "__transaction_state") setting = "transaction.state.log.num.partitions";
  return setting.empty() ? found : std::max(found, broker_settings_.get_int32(setting));
}

Result<void> Metadata::apply(std::string_view key, std::optional<std::string_view> value) {
  if (key.size() < 2) return fail(Errc::damaged, "metadata log: a key without a kind");
  const auto kind = static_cast<Kind>(load_be<std::int16_t>(key.data()));
  key.remove_prefix(2);
  std::optional<std::string_view> body;
  if (value) {
    auto checked = body_of(*value);
    if (!checked) return fail(checked.error());
    body = *checked;
  }
  switch (kind) {
    case Kind::topic:
      if (key.size() != 16) break;
      return apply_topic(uuid_at(key), body);
    case Kind::topic_setting: {
      if (key.size() < 17) break;
      const auto name = names_.find(uuid_at(key));
      if (name == names_.end()) return {};  // of a topic that is gone
      Topic& topic = topics_.find(name->second)->second;
      const std::string_view setting = key.substr(16);
      if (!body) {
        topic.settings.unset(setting);
      } else if (auto set = topic.settings.set(setting, *body); !set) {
        log_warn("broker",
                 fmt::format("topic {}: {} is ignored", topic.name, set.error().message()));
      }
      settings_changed(topic);
      return {};
    }
    case Kind::broker_setting: {
      broker_settings_.unset(key);
      if (!body && start_settings_.is_set(key))
        (void)broker_settings_.set(key, start_settings_.text(key), start_settings_.source(key));
      if (body)
        if (auto set = broker_settings_.set(key, *body); !set)
          log_warn("broker", set.error().message() + " (in the metadata log; ignored)");
      for (auto& [name, topic] : topics_) settings_changed(topic);
      return {};
    }
    case Kind::producer_block:
      if (!body || body->size() != 8) break;
      if (const auto end = load_be<std::int64_t>(body->data());
          end >= 0 && end <= std::numeric_limits<std::int64_t>::max() - producer_block_size) {
        producer_block_end_ = end;
        return {};
      }
      break;
  }
  return fail(Errc::damaged, fmt::format("metadata log: record of kind {} is malformed or unknown",
                                         static_cast<int>(kind)));
}

Result<void> Metadata::apply_topic(const TopicId& id, std::optional<std::string_view> value) {
  const auto known = names_.find(id);
  if (!value) {
    if (damaged_ && !attached_) deleted_.insert(id);
    if (known == names_.end()) return {};
    const auto at = topics_.find(known->second);
    if (attached_)
      for (std::int32_t p = 0; p < at->second.partitions; ++p)
        log_.remove({.topic = id, .partition = p});
    const std::string name = known->second;
    topics_.erase(at);
    names_.erase(known);
    if (attached_ && on_topic_deleted_) on_topic_deleted_(name, id);
    return {};
  }
  if (value->size() < 5) return fail(Errc::damaged, "metadata log: a topic record is too short");
  const auto partitions = load_be<std::int32_t>(value->data());
  const std::string name(value->substr(4));
  if (partitions < 1 || partitions > limits::partitions_per_topic ||
      !topic_name_fault(name).empty())
    return fail(Errc::damaged, "metadata log: a topic record makes no sense");
  auto namesake = topics_.find(name);
  if (damaged_ && known == names_.end() && namesake != topics_.end()) {
    // That it was deleted is among what is lost: it must have been, before this one was made.
    deleted_.insert(namesake->second.id);
    names_.erase(namesake->second.id);
    topics_.erase(namesake);
    namesake = topics_.end();
  }
  if (known == names_.end() ? namesake != topics_.end() : known->second != name)
    return fail(Errc::damaged, fmt::format("metadata log: topic {} and its id do not go together",
                                           escape_for_log(name)));
  if (known == names_.end()) {
    topics_.emplace(name, Topic{.id = id,
                                .name = name,
                                .partitions = 0,
                                .settings = config::Settings(config::topic_settings()),
                                .logs = {},
                                .rules = {}});
    names_.emplace(id, name);
  }
  Topic& topic = topics_.find(name)->second;
  topic.partitions = std::max(topic.partitions, partitions);
  settings_changed(topic);
  if (attached_) {
    for (auto p = static_cast<std::int32_t>(topic.logs.size()); p < topic.partitions; ++p)
      topic.logs.push_back(&log_.add({.id = {.topic = id, .partition = p},
                                      .topic = name,
                                      .settings = partition_settings(topic)}));
  }
  return {};
}

std::vector<log::PartitionSpec> Metadata::partition_specs() const {
  std::vector<log::PartitionSpec> specs;
  for (const auto& [name, topic] : topics_)
    for (std::int32_t p = 0; p < topic.partitions; ++p)
      specs.push_back({.id = {.topic = topic.id, .partition = p},
                       .topic = name,
                       .settings = partition_settings(topic),
                       .read_whole = is_internal_topic(name)});
  return specs;
}

void Metadata::attach_logs() {
  attached_ = true;
  for (auto& [name, topic] : topics_)
    for (std::int32_t p = 0; p < topic.partitions; ++p) {
      log::PartitionLog* log = log_.find({.topic = topic.id, .partition = p});
      check(log != nullptr, "every partition of a topic has a log");
      topic.logs.push_back(log);
    }
  if (adopted_.empty()) return;
  mutate([this] { return std::exchange(adopted_, {}); },
         [this](const Result<void>& written) {
           if (written)
             log_.forget_restored();
           else
             log_error("broker",
                       "what was taken from folders could not be written down, the "
                       "next start finds it again: " +
                           written.error().message());
         });
}

const Topic* Metadata::find(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : &found->second;
}

const Topic* Metadata::find(const TopicId& id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? nullptr : find(found->second);
}

std::string Metadata::effective(const Topic& topic, std::string_view setting) const {
  if (topic.settings.is_set(setting)) return topic.settings.text(setting);
  const config::Setting* row = config::topic_settings().find(setting);
  check(row != nullptr, "a topic setting that the table has");
  if (!row->broker_name.empty() && broker_settings_.table().find(row->broker_name) != nullptr &&
      broker_settings_.is_set(row->broker_name))
    return broker_settings_.text(row->broker_name);
  return topic.settings.text(setting);
}

std::int64_t Metadata::effective_int(const Topic& topic, std::string_view setting) const {
  return std::stoll(effective(topic, setting));
}

double Metadata::effective_real(const Topic& topic, std::string_view setting) const {
  return std::stod(effective(topic, setting));
}

log::PartitionSettings Metadata::partition_settings(const Topic& topic) const {
  log::PartitionSettings out;
  out.segment_bytes = static_cast<std::uint64_t>(effective_int(topic, "segment.bytes"));
  out.segment_ms = effective_int(topic, "segment.ms");
  out.segment_index_bytes = static_cast<std::uint64_t>(effective_int(topic, "segment.index.bytes"));
  out.index_interval_bytes =
      static_cast<std::uint64_t>(effective_int(topic, "index.interval.bytes"));
  out.retention_ms = effective_int(topic, "retention.ms");
  out.retention_bytes = effective_int(topic, "retention.bytes");
  out.segment_jitter_ms = effective_int(topic, "segment.jitter.ms");
  out.file_delete_delay_ms = effective_int(topic, "file.delete.delay.ms");
  const std::vector<std::string> policy = config::split_list(effective(topic, "cleanup.policy"));
  out.compact = std::ranges::find(policy, "compact") != policy.end();
  out.remove = std::ranges::find(policy, "delete") != policy.end();
  out.min_cleanable_dirty_ratio = effective_real(topic, "min.cleanable.dirty.ratio");
  out.min_compaction_lag_ms = effective_int(topic, "min.compaction.lag.ms");
  out.max_compaction_lag_ms = effective_int(topic, "max.compaction.lag.ms");
  out.delete_retention_ms = effective_int(topic, "delete.retention.ms");
  if (is_internal_topic(topic.name)) {
    // State, not events: it ends when it is compacted away, never by age or size.
    out.retention_ms = -1;
    out.retention_bytes = -1;
  }
  return out;
}

void Metadata::settings_changed(Topic& topic) {
  topic.rules.max_batch_bytes = static_cast<std::size_t>(effective_int(topic, "max.message.bytes"));
  topic.rules.segment_bytes = static_cast<std::size_t>(effective_int(topic, "segment.bytes"));
  topic.rules.timestamp_before_max_ms = effective_int(topic, "message.timestamp.before.max.ms");
  topic.rules.timestamp_after_max_ms = effective_int(topic, "message.timestamp.after.max.ms");
  topic.rules.log_append_time = effective(topic, "message.timestamp.type") == "LogAppendTime";
  const log::PartitionSettings partition = partition_settings(topic);
  topic.rules.compacted = partition.compact;
  const std::string stored = effective(topic, "compression.type");
  topic.rules.codec.reset();
  if (stored == "uncompressed") {
    topic.rules.codec = compress::Codec::none;
  } else if (compress::Codec codec{}; compress::parse_codec(stored, codec)) {
    topic.rules.codec = codec;
  }
  topic.rules.level = compress::default_level;
  if (stored == "gzip" || stored == "lz4" || stored == "zstd")
    topic.rules.level =
        static_cast<int>(effective_int(topic, fmt::format("compression.{}.level", stored)));
  for (auto* log : topic.logs) log->change_settings(partition);
}

TopicId Metadata::new_topic_id() { return log_.runtime().rng().uuid(); }

void Metadata::mutate(Change change, Done done) {
  pending_.push_back({std::move(change), std::move(done)});
  run_next();
}

void Metadata::run_next() {
  if (busy_ || pending_.empty()) return;
  busy_ = true;
  auto next = std::make_shared<Pending>(std::move(pending_.front()));
  pending_.pop_front();
  auto records = std::make_shared<std::vector<MetadataRecord>>(next->change());
  const auto finish = [this, next](Result<void> result) {
    busy_ = false;
    next->done(std::move(result));
    run_next();
  };
  if (records->empty()) return finish({});
  kafka::BatchBuilder builder;
  for (const auto& record : *records)
    builder.append(log_.runtime().loop().clock().wall_ms(), std::string_view(record.key),
                   record.value ? std::optional<std::string_view>(*record.value) : std::nullopt);
  auto batch = builder.finish({});
  if (!batch) return finish(fail(batch.error()));
  log_.metadata().append(std::move(*batch),
                         [this, records, finish](Result<log::Appended> appended) {
                           if (!appended) return finish(fail(appended.error()));
                           for (const auto& record : *records) {
                             auto applied = apply(record.key, record.value);
                             check(applied.has_value(), "a record made here can be applied");
                           }
                           finish({});
                         });
}

void Metadata::new_producer_id(std::move_only_function<void(Result<ProducerId>)> done) {
  id_waiters_.push_back(std::move(done));
  give_out_ids();
}

void Metadata::give_out_ids() {
  while (!id_waiters_.empty() && next_producer_id_ < producer_block_end_) {
    auto waiter = std::move(id_waiters_.front());
    id_waiters_.pop_front();
    waiter(ProducerId(next_producer_id_++));
  }
  if (id_waiters_.empty() || asking_for_ids_) return;
  asking_for_ids_ = true;
  mutate([this] { return std::vector{producer_block(producer_block_end_ + producer_block_size)}; },
         [this](const Result<void>& result) {
           asking_for_ids_ = false;
           if (result) return give_out_ids();
           for (auto& waiter : std::exchange(id_waiters_, {})) waiter(fail(result.error()));
         });
}

void Metadata::create_automatically(std::string name,
                                    std::move_only_function<void(Result<void>)> done) {
  auto shared_name = std::make_shared<std::string>(std::move(name));
  auto refused = std::make_shared<std::optional<Error>>();
  mutate(
      [this, shared_name, refused]() -> std::vector<MetadataRecord> {
        if (find(*shared_name) != nullptr) return {};
        for (const auto& [other, topic] : topics_)
          if (names_collide(other, *shared_name)) {
            *refused = Error(Errc::invalid_topic_exception,
                             fmt::format("topic {} collides with {}", *shared_name, other));
            return {};
          }
        return {topic_record(log_.runtime().rng().uuid(), *shared_name,
                             broker_settings_.get_int32("num.partitions"))};
      },
      [refused, done = std::move(done)](Result<void> result) mutable {
        if (*refused) return done(fail(std::move(**refused)));
        done(std::move(result));
      });
}

}  // namespace weir::broker
