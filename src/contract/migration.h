// From one version of a contract to the next: which way fits, and its steps.
//
// Source: Bellemare, Building Event-Driven Microservices, on breaking schema changes: a compatible
// change in place; a new stream beside the old one, to which consumers move one by one; a new
// stream to which everybody moves at once.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contract/schema.h"

namespace weir::contract {

enum class Way : std::uint8_t {
  nothing,                // the same schema
  compatible,             // a new version in the same stream
  eventual_migration,     // a new stream; consumers move when they can
  synchronised_migration  // a new stream; everybody moves at one time
};
/// "eventual migration".
std::string_view name_of(Way way);

/// What is known beside the two schemas.
struct MigrationFacts {
  std::string stream = "STREAM";  // where the contract holds now
  std::string subject = {};       // in the registry; empty: stream + "-value"
  std::string new_stream = {};    // what a new one would be called; empty: the stream with "-next"
  std::string file = "NEW";       // of the new schema, for commands
  /// Groups that are known to read it. What is not known is planned for as many.
  std::vector<std::string> readers = {};
  bool readers_known = false;
  /// Somebody has decided that everybody moves at once.
  bool synchronised = false;
  Policy policy = Policy::strict;
};

struct MigrationStep {
  std::string who;   // "owner of the contract", "producers", "consumers", "billing"
  std::string what;  // a sentence
  std::string how;   // a command; empty: it is not weir's to do
};

struct Migration {
  Way way = Way::nothing;
  std::string why;
  /// What keeps the new version from reading old data, and the old one from reading new data.
  std::vector<Difference> backward;
  std::vector<Difference> forward;
  /// The strictest level that the step keeps.
  Level level = Level::none;
  std::vector<MigrationStep> steps;
};

/// Errc::limit_exceeded if the schemas are too large to compare.
Result<Migration> plan_migration(const Schema& before, const Schema& after,
                                 const MigrationFacts& facts);

}  // namespace weir::contract
