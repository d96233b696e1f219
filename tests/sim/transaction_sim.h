// One simulated run of the broker under transactions: owners that fence each other, readers of
// committed data, late and repeated requests, faults; from one seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim_counters.h"

namespace weir::tests {

struct TransactionCounters {
  SimCounters machine;
  std::uint64_t committed = 0;
  std::uint64_t aborted = 0;
  std::uint64_t unknown = 0;          // nobody told their client
  std::uint64_t fenced = 0;           // clients that lost their id
  std::uint64_t timed_out = 0;        // transactions, by the coordinator
  std::uint64_t offset_commits = 0;   // acknowledged within transactions
  std::uint64_t replayed = 0;         // requests sent again later by somebody else
  std::uint64_t cut_open = 0;         // starts that found open transactions
  std::uint64_t session_answers = 0;  // of a Fetch that asked for what had changed
  std::uint64_t cut_prepared = 0;     // transactions that a start found prepared

  void add(const TransactionCounters& other);
  std::string to_string() const;
};

struct TransactionSimResult {
  std::vector<std::string> anomalies;
  TransactionCounters counters;
};

TransactionSimResult run_transaction_simulation(std::uint64_t seed);

}  // namespace weir::tests
