// Contracts of streams, from files or from a registry, as the commands of contracts see them.
#pragma once

#include <weir/client.h>
#include <weir/schema_registry.h>

#include <chrono>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "contract/lint/lint.h"
#include "contract/readers.h"

namespace weir::cli {

/// Versions of a subject that are looked at, the newest ones.
inline constexpr std::size_t looked_at_versions = 50;

/// Each file is the value of a stream; a file whose root is what another names as its weir.key is
/// that one's key as well.
Result<std::vector<contract::lint::StreamContract>> contracts_in_files(
    std::span<const std::string_view> files, std::span<const contract::Import> imports);

/// Every subject with that prefix: TOPIC-value and TOPIC-key together are a stream's contract, a
/// subject of another name is one by itself.
Result<std::vector<contract::lint::StreamContract>> contracts_in_registry(
    SchemaRegistry& registry, const std::string& prefix);

/// The tags that a rule set (JSON, as registries write it) acts on.
std::set<std::string> tags_of_rules(const std::string& rule_set);

/// What `_weir.readers` says; nothing if there is no such stream.
Result<std::vector<contract::ReaderRecord>> read_readers(Client& client,
                                                         std::chrono::milliseconds timeout);

/// Samples a topic, spread over its partitions, from the beginning and the end of each; at most
/// contract::lint::sampled_records. Errc::unknown_topic_or_partition, ….
Result<contract::lint::Evidence> sample_topic(Client& client, const SchemaRegistry& registry,
                                              const std::string& topic,
                                              const contract::Outline& outline,
                                              std::chrono::milliseconds timeout);

}  // namespace weir::cli
