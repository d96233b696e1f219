// The topics that a member of a `consumer` group subscribes to, from the bytes that it joined with.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace weir::coordinator {

/// Adds the topics of one subscription to `topics`. False if it cannot be read. A version newer
/// than ours is read as our newest, and what follows it is left alone.
bool add_subscribed_topics(std::string_view metadata, std::set<std::string, std::less<>>& topics);

}  // namespace weir::coordinator
