// Topics, settings and producer ids: a state machine over the metadata log.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "compress/compress.h"
#include "config/settings.h"
#include "log/log_store.h"

namespace weir::broker {

/// The settings in force that every Produce looks at, read once.
struct ProduceRules {
  std::size_t max_batch_bytes = 0;
  std::size_t segment_bytes = 0;
  std::int64_t timestamp_before_max_ms = 0;
  std::int64_t timestamp_after_max_ms = 0;
  bool log_append_time = false;
  bool compacted = false;                // every record needs a key
  std::optional<compress::Codec> codec;  // that batches are stored with; absent: the producer's
  int level = compress::default_level;
};

/// One topic as the metadata log says. `logs` in the order of partitions.
struct Topic {
  TopicId id;
  std::string name;
  std::int32_t partitions = 0;
  config::Settings settings;  // what is set on it; the rest comes from the broker
  std::vector<log::PartitionLog*> logs;
  ProduceRules rules;
};

/// A record of the metadata log; see docs/formats/metadata-log.md. An absent value deletes.
struct MetadataRecord {
  std::string key;
  std::optional<std::string> value;
};

/// Owner: the broker. Threads: its loop.
///
/// Changes go one at a time: mutate() asks for the records when the change before is applied, so
/// that they are made from a state that will not change under them.
class Metadata {
 public:
  /// Makes the records of a change from the present state; none: nothing to do, or refused.
  using Change = std::move_only_function<std::vector<MetadataRecord>()>;
  using Done = std::move_only_function<void(Result<void>)>;

  Metadata(log::LogStore& log, const config::Settings& broker_settings);

  static log::PartitionSpec log_spec();
  /// Reads the metadata log; before LogStore::start(). Of what damage took from it, as much as the
  /// folders of partitions say is taken from them: nothing is removed because it is not known.
  Result<void> load();
  std::vector<log::PartitionSpec> partition_specs() const;
  /// After LogStore::start(). What load() took from folders is written to the metadata log.
  void attach_logs();

  /// Called on the loop when a topic is gone for good, after its last record.
  void on_topic_deleted(std::function<void(std::string_view name, const TopicId& id)> callback) {
    on_topic_deleted_ = std::move(callback);
  }

  const Topic* find(std::string_view name) const;
  const Topic* find(const TopicId& id) const;
  const std::map<std::string, Topic, std::less<>>& topics() const { return topics_; }
  /// The broker's settings with the dynamic ones over those it was started with.
  const config::Settings& broker_settings() const { return broker_settings_; }
  const config::Settings& start_settings() const { return start_settings_; }

  /// The value in force of a topic's setting: its own, the broker's, or the default.
  std::string effective(const Topic& topic, std::string_view setting) const;
  std::int64_t effective_int(const Topic& topic, std::string_view setting) const;
  double effective_real(const Topic& topic, std::string_view setting) const;

  void mutate(Change change, Done done);
  TopicId new_topic_id();
  /// A producer id never given out before; durable before `done`.
  void new_producer_id(std::move_only_function<void(Result<ProducerId>)> done);
  /// A topic of `partitions` with the broker's defaults, unless it is there.
  void create_automatically(std::string name, std::move_only_function<void(Result<void>)> done);

  // Records.
  /// One record of the metadata log, the same live and at start-up; absent deletes. damaged or
  /// newer_format: nothing has changed.
  Result<void> apply(std::string_view key, std::optional<std::string_view> value);
  static MetadataRecord topic_record(const TopicId& id, std::string_view name,
                                     std::int32_t partitions);
  static MetadataRecord topic_deleted(const TopicId& id);
  static MetadataRecord topic_setting(const TopicId& id, std::string_view name,
                                      std::optional<std::string> value);
  static MetadataRecord broker_setting(std::string_view name, std::optional<std::string> value);
  static MetadataRecord producer_block(std::int64_t next);

 private:
  struct Pending {
    Change change;
    Done done;
  };

  Result<void> adopt_folders();
  std::int32_t adopted_partitions(std::string_view name, std::int32_t found) const;
  void run_next();
  Result<void> apply_topic(const TopicId& id, std::optional<std::string_view> value);
  log::PartitionSettings partition_settings(const Topic& topic) const;
  void settings_changed(Topic& topic);
  void give_out_ids();

  log::LogStore& log_;
  config::Settings start_settings_;
  config::Settings broker_settings_;
  std::map<std::string, Topic, std::less<>> topics_;
  std::unordered_map<TopicId, std::string> names_;
  std::function<void(std::string_view, const TopicId&)> on_topic_deleted_;
  bool damaged_ = false;                 // records are missing
  std::set<TopicId> deleted_;            // while it is loaded, if damaged_
  std::vector<MetadataRecord> adopted_;  // to be written
  std::deque<Pending> pending_;
  bool busy_ = false;
  bool attached_ = false;
  std::int64_t next_producer_id_ = 0;    // of the block in hand
  std::int64_t producer_block_end_ = 0;  // durable: ids below are spoken for
  std::deque<std::move_only_function<void(Result<ProducerId>)>> id_waiters_;
  bool asking_for_ids_ = false;
};

/// "" if `name` may name a topic, else why not: 1 to 249 of [a-zA-Z0-9._-], not "." or "..".
std::string topic_name_fault(std::string_view name);
/// True if the two would be one in metrics: they differ only in '.' and '_'.
bool names_collide(std::string_view a, std::string_view b);
bool is_internal_topic(std::string_view name);

}  // namespace weir::broker
