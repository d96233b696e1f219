// Transactions as the commands of `weir transaction` find and end them.
#pragma once

#include <weir/admin.h>

#include <map>
#include <string>
#include <vector>

#include "cli/command.h"

namespace weir::cli {

using ProducersByPartition = std::map<TopicPartition, std::vector<ProducerState>>;

/// A transaction that one partition has open.
struct OpenTransaction {
  TopicPartition partition;
  ProducerState producer;
};

/// Those whose last record is not younger than `youngest`, in order of their partitions.
std::vector<OpenTransaction> open_transactions(const ProducersByPartition& producers,
                                               Timestamp youngest);

/// The transaction of a coordinator that `open` is a part of; nullptr: it hangs, nobody will end
/// it.
const TransactionDescription* owner_of(const OpenTransaction& open,
                                       const std::vector<TransactionDescription>& known);

/// What the coordinators have of these producers.
Result<std::vector<TransactionDescription>> transactions_of(
    Admin& admin, const std::vector<std::int64_t>& producer_ids);

/// The transactions that `partitions` have open since before `youngest` and that no coordinator
/// knows.
Result<std::vector<OpenTransaction>> find_hanging(Admin& admin,
                                                  const std::vector<TopicPartition>& partitions,
                                                  Timestamp youngest);

/// The partitions of `TOPIC` or `TOPIC:0,2`, which are there. `given_as`: for Errc::usage.
Result<std::vector<TopicPartition>> partitions_of(Admin& admin, std::string_view choice,
                                                  std::string_view given_as);

/// Errc::transactional_id_not_found suggests the nearest id that there is.
Result<TransactionDescription> find_transaction(Admin& admin, const std::string& id);

}  // namespace weir::cli
