#include "cli/contracts.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "cli/connect.h"
#include "cli/schema_texts.h"
#include "cli/schemas.h"
#include "serde/parsing.h"
#include "serde/wire.h"

namespace weir::cli {
namespace {

using contract::lint::Evidence;
using contract::lint::StreamContract;

constexpr std::string_view value_end = "-value";
constexpr std::string_view key_end = "-key";

/// Its latest versions, oldest first, and the tags that its newest rules act on.
Result<std::vector<contract::SchemaPtr>> versions_of(SchemaRegistry& registry,
                                                     const std::string& subject,
                                                     std::set<std::string>* guarded_tags) {
  const auto numbers = registry.versions(subject);
  if (!numbers) return fail(numbers.error());
  const std::size_t first =
      numbers->size() > looked_at_versions ? numbers->size() - looked_at_versions : 0;
  std::vector<contract::SchemaPtr> out;
  for (std::size_t i = first; i < numbers->size(); ++i) {
    const auto version = registry.version(subject, (*numbers)[i]);
    if (!version) return fail(version.error());
    auto parsed = serde::parse_complete(registry, version->schema);
    if (!parsed)
      return fail(parsed.error().code(), fmt::format("{} version {}: {}", subject, (*numbers)[i],
                                                     parsed.error().message()));
    out.push_back(std::move(*parsed));
    if (guarded_tags != nullptr && i + 1 == numbers->size())
      *guarded_tags = tags_of_rules(version->rule_set);
  }
  return out;
}

void add_tags(const json::Value& rules, std::set<std::string>& out) {
  const json::Array* list = rules.as_array();
  if (list == nullptr) return;
  for (const json::Value& rule : *list) {
    const json::Value* disabled = rule.find("disabled");
    if (disabled != nullptr && disabled->as_bool() != nullptr && *disabled->as_bool()) continue;
    const json::Value* tags = rule.find("tags");
    if (tags == nullptr || tags->as_array() == nullptr) continue;
    for (const json::Value& tag : *tags->as_array())
      if (const std::string* text = tag.as_string()) out.insert(*text);
  }
}

/// Where to read a partition: a part at its beginning, a part at its end.
struct Part {
  TopicPartition place;
  std::int64_t from = 0;
  std::int64_t to = 0;
};

std::vector<Part> parts_of(const std::vector<TopicPartition>& places,
                           const std::map<TopicPartition, std::int64_t>& begin,
                           const std::map<TopicPartition, std::int64_t>& end) {
  const auto share = static_cast<std::int64_t>(
      std::max<std::size_t>(1, contract::lint::sampled_records / places.size() / 2));
  std::vector<Part> out;
  for (const TopicPartition& place : places) {
    const std::int64_t first = begin.at(place);
    const std::int64_t last = end.at(place);
    const std::int64_t middle = std::min(first + share, last);
    if (first < middle) out.push_back({place, first, middle});
    if (const std::int64_t late = std::max(last - share, middle); late < last)
      out.push_back({place, late, last});
  }
  return out;
}

class Sampler {
 public:
  Sampler(Consumer& consumer, serde::PayloadReader reader, Evidence& out,
          std::chrono::milliseconds timeout)
      : consumer_(consumer), reader_(std::move(reader)), out_(out), timeout_(timeout) {}

  Result<void> read(const Part& part) {
    if (auto done = consumer_.assign({part.place}); !done) return done;
    if (auto done = consumer_.seek(part.place, part.from); !done) return done;
    MonoTime last = clock_.now();
    while (true) {
      const auto batches = consumer_.poll(std::chrono::milliseconds(100));
      if (!batches) return fail(batches.error());
      for (const Batch& batch : *batches) {
        if (auto done = take(batch, part); !done) return done;
        if (batch.next_offset() >= part.to) return {};
      }
      if (!batches->empty()) {
        last = clock_.now();
        continue;
      }
      const auto position = consumer_.position(part.place, timeout_);
      if (!position) return fail(position.error());
      if (*position >= part.to) return {};
      if (clock_.now() - last >= timeout_)
        return fail(Errc::timed_out, fmt::format("{}-{}: no record came before offset {}",
                                                 part.place.topic, part.place.partition, part.to));
    }
  }

 private:
  Result<void> take(const Batch& batch, const Part& part) {
    for (const RecordView& record : batch) {
      if (record.offset() < part.from || record.offset() >= part.to) continue;
      if (!record.key()) out_.add_null_key();
      if (!record.value()) continue;  // a tombstone is no event
      std::optional<std::string_view> header;
      for (const Header& one : record.headers())
        if (one.key == serde::header_of(false)) header = one.value;
      auto read = reader_.read(*record.value(), header);
      if (!read && read.error().retriable()) return fail(read.error());
      if (!read || !*read) {
        out_.add_undecodable();
        continue;
      }
      const auto& schema = (*read)->schema;
      const auto [name, is_new] = names_.try_emplace(schema.get());
      if (is_new) name->second = schema->outline().root_type;
      out_.add_schema(name->second);
      out_.add((*read)->value, (*read)->bytes, record.key().value_or(""));
    }
    return {};
  }

  Consumer& consumer_;
  serde::PayloadReader reader_;
  Evidence& out_;
  std::chrono::milliseconds timeout_;
  SystemClock clock_;
  std::map<const contract::Schema*, std::string> names_;
};

}  // namespace

std::set<std::string> tags_of_rules(const std::string& rule_set) {
  std::set<std::string> out;
  if (rule_set.empty()) return out;
  const auto value = json::parse(rule_set);
  if (!value) return out;
  for (const std::string_view list : {"domainRules", "encodingRules", "migrationRules"})
    if (const json::Value* rules = value->find(list)) add_tags(*rules, out);
  return out;
}

Result<std::vector<StreamContract>> contracts_in_files(std::span<const std::string_view> files,
                                                       std::span<const contract::Import> imports) {
  std::vector<StreamContract> out;
  std::vector<std::string> roots;
  for (const std::string_view file : files) {
    auto schema = parse_schema_file(file, imports);
    if (!schema) return fail(schema.error());
    const contract::Outline outline = (*schema)->outline();
    StreamContract stream;
    stream.name = outline.topic.empty() ? std::string(file) : outline.topic;
    stream.value_source = file;
    stream.value_versions.push_back(std::move(*schema));
    roots.push_back(outline.root_name);
    out.push_back(std::move(stream));
  }
  std::set<std::size_t> keys;
  for (StreamContract& stream : out) {
    const std::string key = stream.value_versions.front()->outline().key;
    const auto found = std::ranges::find(roots, key);
    if (key.empty() || found == roots.end()) continue;
    const auto at = static_cast<std::size_t>(found - roots.begin());
    stream.key_versions = out[at].value_versions;
    stream.key_source = out[at].value_source;
    keys.insert(at);
  }
  std::vector<StreamContract> streams;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (!keys.contains(i)) streams.push_back(std::move(out[i]));
  return streams;
}

Result<std::vector<StreamContract>> contracts_in_registry(SchemaRegistry& registry,
                                                          const std::string& prefix) {
  const auto subjects = registry.subjects(prefix);
  if (!subjects) return fail(subjects.error());
  std::map<std::string, StreamContract> streams;
  for (const std::string& subject : *subjects) {
    if (!subject.ends_with(value_end) && !subject.ends_with(key_end)) {
      StreamContract& stream = streams[subject];
      stream.of_topic = false;
      stream.name = subject;
      stream.value_source = subject;
      auto versions = versions_of(registry, subject, &stream.guarded_tags);
      if (!versions) return fail(versions.error());
      stream.value_versions = std::move(*versions);
      continue;
    }
    const bool is_value = subject.ends_with(value_end);
    const std::string topic =
        subject.substr(0, subject.size() - (is_value ? value_end : key_end).size());
    StreamContract& stream = streams[topic];
    stream.name = topic;
    (is_value ? stream.value_source : stream.key_source) = subject;
    auto versions = versions_of(registry, subject, is_value ? &stream.guarded_tags : nullptr);
    if (!versions) return fail(versions.error());
    (is_value ? stream.value_versions : stream.key_versions) = std::move(*versions);
  }
  std::vector<StreamContract> out;
  for (auto& [name, stream] : streams)
    if (!stream.value_versions.empty()) out.push_back(std::move(stream));
  return out;
}

Result<std::vector<contract::ReaderRecord>> read_readers(Client& client,
                                                         std::chrono::milliseconds timeout) {
  std::vector<contract::ReaderRecord> out;
  const std::string topic(contract::readers_topic);
  const auto found = find_topic(client.admin(), topic);
  if (!found && found.error().code() == Errc::unknown_topic_or_partition) return out;
  if (!found) return fail(found.error());
  auto consumer = client.consumer({});
  if (!consumer) return fail(consumer.error());
  const TopicPartition place{topic, 0};
  const auto end = consumer->end_offsets({place}, timeout);
  if (!end) return fail(end.error());
  if (auto done = consumer->assign({place}); !done) return fail(done.error());
  if (auto done = consumer->seek_to_beginning(place); !done) return fail(done.error());
  const SystemClock clock;
  const MonoTime deadline = clock.now() + timeout;
  std::map<std::string, contract::ReaderRecord> latest;
  for (;;) {
    const auto position = consumer->position(place, timeout);
    if (!position) return fail(position.error());
    if (*position >= end->at(place)) break;
    if (clock.now() >= deadline)
      return fail(Errc::timed_out, fmt::format("{}: it was not read to its end in time", topic));
    const auto batches = consumer->poll(std::chrono::milliseconds(100));
    if (!batches) return fail(batches.error());
    for (const Batch& batch : *batches)
      for (const RecordView& record : batch) {
        const std::string key(record.key().value_or(""));
        auto reader = record.value() ? contract::parse_reader(*record.value())
                                     : Result<contract::ReaderRecord>(fail(Errc::not_found, ""));
        if (reader)
          latest.insert_or_assign(key, std::move(*reader));
        else
          latest.erase(key);
      }
  }
  for (auto& [key, reader] : latest) out.push_back(std::move(reader));
  return out;
}

Result<Evidence> sample_topic(Client& client, const SchemaRegistry& registry,
                              const std::string& topic, const contract::Outline& outline,
                              std::chrono::milliseconds timeout) {
  const auto found = find_topic(client.admin(), topic);
  if (!found) return fail(found.error());
  std::vector<TopicPartition> places;
  for (const PartitionDescription& partition : found->partitions)
    places.push_back({topic, partition.partition});
  Evidence out(outline);
  if (places.empty()) return out;
  ConsumerOptions options;
  options.isolation = Isolation::read_committed;
  auto consumer = client.consumer(options);
  if (!consumer) return fail(consumer.error());
  const auto begin = consumer->beginning_offsets(places, timeout);
  if (!begin) return fail(begin.error());
  const auto end = consumer->end_offsets(places, timeout);
  if (!end) return fail(end.error());
  Sampler sampler(*consumer, serde::PayloadReader(registry), out, timeout);
  for (const Part& part : parts_of(places, *begin, *end))
    if (auto done = sampler.read(part); !done) return fail(done.error());
  return out;
}

}  // namespace weir::cli
