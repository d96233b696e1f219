// The queries of Nexmark as stream applications.
#pragma once

#include <weir/streams.h>

#include <string>
#include <vector>

#include "codecs.h"
#include "generator.h"

namespace weir::nexmark {

/// It lives as long as the event.
EventView view_of(const Event& event);
std::int64_t time_of(const Event& event);

/// What they read, and what they write: q3 writes "q3-out".
inline constexpr const char* event_topic = "nexmark";
std::string output_topic(const std::string& query);

/// "q0", "q1", ….
const std::vector<std::string>& queries();
/// Of a name of queries(); the application has the name that is given.
streams::Topology make_query(const std::string& query, const std::string& application);

}  // namespace weir::nexmark
