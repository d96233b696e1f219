// Instances of a microservice as processes of their own, started by the demo.
#pragma once

#include <weir/result.h>

#include <string>

namespace airport {

/// Starts two instances of delay-board at this address and waits until both have ended. One that is
/// killed is no error: the other takes its tasks over. They die with this process. Each keeps its
/// state in a folder of its own in `folder`.
weir::Result<void> run_two_instances(const std::string& address, const std::string& registry,
                                     const std::string& folder);

/// In an instance: ends it, at once, when the process that started it ends.
void die_with_parent();

}  // namespace airport
