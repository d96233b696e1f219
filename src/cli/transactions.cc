#include "cli/transactions.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "cli/connect.h"
#include "cli/groups.h"
#include "config/suggest.h"

namespace weir::cli {

std::vector<OpenTransaction> open_transactions(const ProducersByPartition& producers,
                                               Timestamp youngest) {
  std::vector<OpenTransaction> out;
  for (const auto& [partition, states] : producers)
    for (const ProducerState& producer : states)
      if (producer.transaction_start && (!producer.last_write || *producer.last_write <= youngest))
        out.push_back({partition, producer});
  return out;
}

const TransactionDescription* owner_of(const OpenTransaction& open,
                                       const std::vector<TransactionDescription>& known) {
  const auto found = std::ranges::find_if(known, [&](const TransactionDescription& transaction) {
    return transaction.producer_id == open.producer.producer_id &&
           std::ranges::find(transaction.partitions, open.partition) !=
               transaction.partitions.end();
  });
  return found == known.end() ? nullptr : &*found;
}

Result<std::vector<TransactionDescription>> transactions_of(
    Admin& admin, const std::vector<std::int64_t>& producer_ids) {
  std::vector<TransactionDescription> out;
  if (producer_ids.empty()) return out;
  const auto listed = admin.list_transactions({.producer_ids = producer_ids});
  if (!listed) return fail(listed.error());
  for (const TransactionListing& transaction : *listed) {
    auto described = admin.describe_transaction(transaction.id);
    // One that was forgotten since is not there any more.
    if (!described && described.error().code() == Errc::transactional_id_not_found) continue;
    if (!described) return fail(described.error());
    out.push_back(std::move(*described));
  }
  return out;
}

namespace {

/// Those that `producers` still have open where they were.
void keep_open(std::vector<OpenTransaction>& found, const ProducersByPartition& producers) {
  std::erase_if(found, [&](const OpenTransaction& open) {
    const auto at = producers.find(open.partition);
    if (at == producers.end()) return true;
    return std::ranges::none_of(at->second, [&](const ProducerState& now) {
      return now.producer_id == open.producer.producer_id &&
             now.transaction_start == open.producer.transaction_start;
    });
  });
}

}  // namespace

Result<std::vector<OpenTransaction>> find_hanging(Admin& admin,
                                                  const std::vector<TopicPartition>& partitions,
                                                  Timestamp youngest) {
  const auto before = admin.describe_producers(partitions);
  if (!before) return fail(before.error());
  std::vector<OpenTransaction> found = open_transactions(*before, youngest);
  if (found.empty()) return found;
  std::vector<std::int64_t> ids;
  for (const OpenTransaction& open : found) ids.push_back(open.producer.producer_id);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const auto known = transactions_of(admin, ids);
  if (!known) return fail(known.error());
  std::erase_if(found, [&](const auto& open) { return owner_of(open, *known) != nullptr; });
  if (found.empty()) return found;
  // What ended while the coordinators were asked was known to none of them either.
  std::vector<TopicPartition> again;
  for (const OpenTransaction& open : found) again.push_back(open.partition);
  const auto after = admin.describe_producers(again);
  if (!after) return fail(after.error());
  keep_open(found, *after);
  return found;
}

Result<std::vector<TopicPartition>> partitions_of(Admin& admin, std::string_view choice,
                                                  std::string_view given_as) {
  const auto wanted = topic_choice_from(choice, given_as);
  if (!wanted) return fail(wanted.error());
  const auto topic = find_topic(admin, wanted->topic);
  if (!topic) return fail(topic.error());
  std::vector<TopicPartition> out;
  for (const PartitionDescription& partition : topic->partitions)
    if (wanted->partitions.empty() || wanted->partitions.contains(partition.partition))
      out.push_back({topic->name, partition.partition});
  for (const std::int32_t partition : wanted->partitions)
    if (std::ranges::find(out, partition, &TopicPartition::partition) == out.end())
      return fail(Errc::unknown_topic_or_partition,
                  fmt::format("{} has no partition {}", topic->name, partition));
  return out;
}

Result<TransactionDescription> find_transaction(Admin& admin, const std::string& id) {
  auto found = admin.describe_transaction(id);
  if (found || found.error().code() != Errc::transactional_id_not_found) return found;
  std::string suggestion;
  if (const auto all = admin.list_transactions()) {
    std::vector<std::string_view> known;
    for (const TransactionListing& transaction : *all) known.push_back(transaction.id);
    suggestion = config::did_you_mean(id, known);
  }
  return fail(Errc::transactional_id_not_found,
              fmt::format("{}: no such transactional id{}", escape_for_log(id, 249), suggestion));
}

}  // namespace weir::cli
