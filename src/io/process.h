// What a program does to its own process (descriptors, memory, readiness for its supervisor), and
// how it runs another.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace weir::io {

/// Raises the soft limit of open descriptors to the hard one; gives what it is now.
std::uint64_t raise_descriptor_limit();

/// Tells the allocator to keep blocks of request size instead of mapping each anew, and to give
/// memory back that stays unused.
void tune_allocator_for_server();

/// Asks the scheduler to let this thread run soon after it wakes, in turns of 0.1 ms: for threads
/// that work briefly and often, on machines whose cores are all busy. Needs no privilege; without
/// effect before Linux 6.12 (sched_setattr(2), sched_runtime of an ordinary thread).
void prefer_short_turns();

/// Tells systemd (through $NOTIFY_SOCKET, sd_notify(3)) a state such as "READY=1"; no effect
/// without a supervisor that listens.
void notify_supervisor(std::string_view state);

/// What `command` prints to its standard output when /bin/sh runs it. It has no input, inherits the
/// standard error and no other descriptor. Errc::timed_out (it is killed), limit_exceeded (it
/// prints more than `max_bytes`), io_error (it fails); no message shows what it printed. Blocks.
Result<std::string> run_command(const std::string& command, std::size_t max_bytes,
                                Duration timeout);

}  // namespace weir::io
