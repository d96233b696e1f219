// Names in a topology, and of the streams that the library makes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::streams {

/// Why `name` can be no part of a topic's name; nothing if it can.
std::optional<std::string> name_fault(std::string_view name);

/// "APPLICATION-NAME-repartition".
std::string repartition_topic(std::string_view application, std::string_view name);
/// "APPLICATION-STORE-changelog".
std::string changelog_topic(std::string_view application, std::string_view store);

/// Of the transactional id "APPLICATION-PROCESS-NUMBER", of ours or of Kafka Streams; empty if it
/// is of something else.
std::string_view application_of_id(std::string_view id);

}  // namespace weir::streams
