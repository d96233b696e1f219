#include "registry/readers.h"

#include "base/log.h"
#include "registry/limits.h"

namespace weir::registry {

void Readers::apply(const StreamRecord& record) {
  const std::string key = record.key.value_or("");
  if (!record.value) {
    by_key_.erase(key);
    return;
  }
  auto reader = contract::parse_reader(*record.value);
  if (!reader) {
    log_warn("registry", std::string(contract::readers_topic) + " at offset " +
                             std::to_string(record.offset) + ": " + reader.error().message());
    return;
  }
  if (by_key_.size() >= limits::known_readers && !by_key_.contains(key)) return;
  by_key_.insert_or_assign(key, std::move(*reader));
}

std::vector<std::string> Readers::broken_by(const std::string& subject,
                                            const contract::Schema& candidate) const {
  std::vector<std::string> out;
  for (const auto& [key, reader] : by_key_) {
    if (reader.subject != subject) continue;
    const auto tell = [&](const std::string& why) {
      out.push_back("{consumer:'" + escape_for_log(reader.group, 128) + "', description:'" + why +
                    "'}");
    };
    if (reader.language != candidate.language()) {
      tell("it reads " + std::string(name_of(reader.language)));
      continue;
    }
    // One that uses other schemas cannot be judged by its text alone.
    const auto schema = contract::Schema::parse(reader.language, reader.schema, {.strict = false});
    if (!schema) continue;
    const auto differences = (*schema)->unreadable(candidate, contract::Policy::strict);
    if (differences && !differences->empty())
      tell("it cannot read the new version: " + differences->front().text());
  }
  return out;
}

}  // namespace weir::registry
