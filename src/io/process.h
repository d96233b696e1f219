// What a server does once to its own process: descriptors, memory, readiness for its supervisor.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::io {

/// Raises the soft limit of open descriptors to the hard one; gives what it is now.
std::uint64_t raise_descriptor_limit();

/// Tells the allocator to keep blocks of request size instead of mapping each anew, and to give
/// memory back that stays unused.
void tune_allocator_for_server();

/// Tells systemd (through $NOTIFY_SOCKET, sd_notify(3)) a state such as "READY=1"; no effect
/// without a supervisor that listens.
void notify_supervisor(std::string_view state);

}  // namespace weir::io
