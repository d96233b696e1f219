// Which offsets a group has committed: OffsetCommit, OffsetFetch, OffsetDelete.
#include <fmt/core.h>

#include "base/limits.h"
#include "broker/broker.h"
#include "broker/group_service.h"
#include "broker/handlers.h"
#include "broker/transaction_service.h"

namespace weir::broker {
namespace {

using coordinator::CommittedOffset;
using coordinator::Group;
using coordinator::GroupCoordinator;

template <class Topics>
std::size_t count_partitions(const Topics& topics) {
  std::size_t count = 0;
  for (const auto& topic : topics) {
    if constexpr (requires { topic.partition_indexes; }) {
      count += topic.partition_indexes.size();
    } else {
      count += topic.partitions.size();
    }
  }
  return count;
}

std::string too_many(std::string_view what, std::size_t count) {
  return fmt::format("{} of {} partitions, at most {} are served", what, count,
                     limits::partitions_per_request);
}

/// OffsetCommit, or TxnOffsetCommit: the same but for the transaction.
template <class Request, class Response>
struct PendingCommit {
  RequestInfo info;
  Request request;
  Reply<Response> reply;
  Response response;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // of the items, in the response
};

template <class Row>
TopicId out_id(const Row& row) {
  if constexpr (requires { row.topic_id; }) return row.topic_id;
  return {};
}

// Judges topics and partitions; the rest is the coordinator's.
template <class Pending>
std::vector<coordinator::CommitItem> items_of(const Metadata& metadata, Pending& pending) {
  constexpr std::int16_t first_version_with_ids = 10;
  std::vector<coordinator::CommitItem> items;
  for (const auto& asked : pending.request.topics) {
    auto& out = pending.response.topics.emplace_back();
    out.name = asked.name;
    bool by_id = false;
    if constexpr (requires { asked.topic_id; }) {
      by_id = pending.info.api_version >= first_version_with_ids;
      out.topic_id = asked.topic_id;
    }
    const Topic* topic = by_id ? metadata.find(out_id(out)) : metadata.find(asked.name);
    for (const auto& partition : asked.partitions) {
      auto& row = out.partitions.emplace_back();
      row.partition_index = partition.partition_index;
      if (topic == nullptr || partition.partition_index < 0 ||
          partition.partition_index >= topic->partitions) {
        row.error_code = wire_code(by_id && topic == nullptr ? Errc::unknown_topic_id
                                                             : Errc::unknown_topic_or_partition);
        continue;
      }
      pending.places.emplace_back(pending.response.topics.size() - 1, out.partitions.size() - 1);
      items.push_back({.topic = topic->name,
                       .topic_id = topic->id,
                       .partition = partition.partition_index,
                       .offset = partition.committed_offset,
                       .leader_epoch = partition.committed_leader_epoch,
                       .metadata = partition.committed_metadata.value_or("")});
    }
  }
  return items;
}

template <class Pending>
void finish_commit(Pending& pending, const coordinator::CommitAnswer& answer) {
  for (std::size_t i = 0; i < pending.places.size(); ++i) {
    const auto [topic, partition] = pending.places[i];
    pending.response.topics[topic].partitions[partition].error_code =
        wire_code(answer.whole != Errc::none ? answer.whole : answer.items[i]);
  }
  pending.reply(pending.response);
}

/// What one partition is answered with.
template <class Row>
void fill(Row& row, std::int32_t partition, const CommittedOffset* offset, bool unstable) {
  row.partition_index = partition;
  row.committed_offset = -1;
  if (unstable) {
    row.error_code = wire_code(Errc::unstable_offset_commit);
  } else if (offset != nullptr) {
    row.committed_offset = offset->offset;
    row.committed_leader_epoch = offset->leader_epoch;
    row.metadata = offset->metadata;  // lives as long as the state: encoded before it changes
  }
}

/// Reads offsets of one group for one request.
class OffsetReader {
 public:
  OffsetReader(Broker& broker, std::string_view group, bool require_stable)
      : groups_(broker.groups().state()),
        metadata_(broker.metadata()),
        group_(group),
        require_stable_(require_stable) {}

  /// Every offset of the group that stands.
  template <class Topics>
  void all(Topics& out) const {
    const Group* group = groups_.find(group_);
    if (group == nullptr) return;
    for (const auto& [name, partitions] : group->offsets) {
      const Topic* topic = metadata_.find(name);
      if (topic == nullptr) continue;
      auto& row = out.emplace_back();
      row.name = topic->name;
      if constexpr (requires { row.topic_id; }) row.topic_id = topic->id;
      for (const auto& [partition, offset] : partitions)
        if (groups_.offset_of(group_, name, topic->id, partition) != nullptr)
          one(row.partitions.emplace_back(), *topic, partition);
      if (row.partitions.empty()) out.pop_back();
    }
  }

  template <class Row>
  void one(Row& row, const Topic& topic, std::int32_t partition) const {
    fill(row, partition, groups_.offset_of(group_, topic.name, topic.id, partition),
         require_stable_ && groups_.is_unstable(group_, topic.name, partition));
  }

  template <class Asked, class Out>
  void some(const Asked& asked, Out& out, const Topic* topic, Errc unknown) const {
    for (const auto partition : asked.partition_indexes) {
      auto& row = out.partitions.emplace_back();
      if (topic != nullptr) {
        one(row, *topic, partition);
      } else {
        fill(row, partition, nullptr, false);
        row.error_code = wire_code(unknown);
      }
    }
  }

 private:
  const GroupCoordinator& groups_;
  const Metadata& metadata_;
  std::string_view group_;
  bool require_stable_;
};

kafka::OffsetFetchResponse::OffsetFetchResponseGroup fetch_group(
    Broker& broker, const RequestInfo& info, bool require_stable,
    const kafka::OffsetFetchRequest::OffsetFetchRequestGroup& asked) {
  kafka::OffsetFetchResponse::OffsetFetchResponseGroup out;
  out.group_id = asked.group_id;
  // Member ids and epochs are those of KIP-848: of a classic group Kafka checks neither, and
  // clients send what does not fit.
  if (broker.groups().unavailable()) {
    out.error_code = wire_code(Errc::coordinator_not_available);
    return out;
  }
  const OffsetReader reader(broker, asked.group_id, require_stable);
  if (!asked.topics) {
    reader.all(out.topics);
    return out;
  }
  const bool by_id = info.api_version >= 10;
  for (const auto& topic : *asked.topics) {
    auto& row = out.topics.emplace_back();
    row.topic_id = topic.topic_id;
    row.name = topic.name;
    reader.some(topic, row,
                by_id ? broker.metadata().find(topic.topic_id) : broker.metadata().find(topic.name),
                by_id ? Errc::unknown_topic_id : Errc::none);
  }
  return out;
}

// Versions 1 to 7 ask for one group.
void fetch_single(Broker& broker, const RequestInfo& info, const kafka::OffsetFetchRequest& request,
                  Reply<kafka::OffsetFetchResponse>& reply) {
  kafka::OffsetFetchResponse response;
  const bool available = !broker.groups().unavailable();
  const Errc fault = available ? Errc::none : Errc::coordinator_not_available;
  response.error_code = wire_code(fault);
  const OffsetReader reader(broker, request.group_id, request.require_stable);
  if (!request.topics) {
    if (available) reader.all(response.topics);
    return reply(response);
  }
  for (const auto& topic : *request.topics) {
    auto& row = response.topics.emplace_back();
    row.name = topic.name;
    reader.some(topic, row, available ? broker.metadata().find(topic.name) : nullptr,
                info.api_version < 2 ? fault : Errc::none);
  }
  reply(response);
}

struct PendingDelete {
  RequestInfo info;
  kafka::OffsetDeleteRequest request;
  Reply<kafka::OffsetDeleteResponse> reply;
  kafka::OffsetDeleteResponse response;
  std::vector<std::pair<std::size_t, std::size_t>> places;
};

}  // namespace

void handle_offset_commit(Broker& broker, RequestInfo info, kafka::OffsetCommitRequest request,
                          Reply<kafka::OffsetCommitResponse> reply) {
  const std::size_t count = count_partitions(request.topics);
  if (count > limits::partitions_per_request)
    return reply.close(too_many("an OffsetCommit", count));
  using Pending = PendingCommit<kafka::OffsetCommitRequest, kafka::OffsetCommitResponse>;
  auto pending = std::make_shared<Pending>(Pending{.info = std::move(info),
                                                   .request = std::move(request),
                                                   .reply = std::move(reply),
                                                   .response = {},
                                                   .places = {}});
  coordinator::CommitRequest commit{.group = pending->request.group_id,
                                    .generation = pending->request.generation_id_or_member_epoch,
                                    .member = pending->request.member_id,
                                    .instance = pending->request.group_instance_id,
                                    .items = items_of(broker.metadata(), *pending)};
  if (broker.groups().unavailable())
    return finish_commit(*pending, {.whole = Errc::coordinator_not_available, .items = {}});
  if (commit.items.empty()) return pending->reply(pending->response);
  broker.groups().request<coordinator::CommitAnswer>(
      pending->info,
      [&](GroupCoordinator& groups, const auto& caller, const auto& now) {
        return groups.commit(caller, commit, now);
      },
      [pending](const coordinator::CommitAnswer& answer) { finish_commit(*pending, answer); });
}

namespace {

using PendingTxnCommit =
    PendingCommit<kafka::TxnOffsetCommitRequest, kafka::TxnOffsetCommitResponse>;

/// Since version 5 a commit brings the stream of offsets into the transaction (KIP-890).
constexpr std::int16_t first_implicit_commit = 5;

Errc as_known(Errc verdict, std::int16_t version) {
  if (verdict == Errc::producer_fenced) return Errc::invalid_producer_epoch;
  if (verdict == Errc::invalid_txn_state && version >= 4) return Errc::transaction_abortable;
  // Clients that do not know it take it for a reason to give up.
  if (verdict == Errc::concurrent_transactions && version < first_implicit_commit)
    return Errc::coordinator_load_in_progress;
  return verdict;
}

// The stream of offsets is there. From the admission on nothing comes between it and the append.
void commit_in_transaction(Broker& broker, const std::shared_ptr<PendingTxnCommit>& pending) {
  const auto& request = pending->request;
  coordinator::CommitRequest commit{.group = request.group_id,
                                    .generation = request.generation_id,
                                    .member = request.member_id,
                                    .instance = request.group_instance_id,
                                    .items = items_of(broker.metadata(), *pending),
                                    .producer = ProducerId(request.producer_id),
                                    .producer_epoch = ProducerEpoch(request.producer_epoch)};
  if (commit.items.empty()) return pending->reply(pending->response);
  const Errc verdict = broker.transactions().admit(
      {.id = request.transactional_id, .producer = commit.producer, .epoch = commit.producer_epoch},
      {{std::string(offsets_topic), {0}}}, pending->info.api_version >= first_implicit_commit);
  if (verdict != Errc::none)
    return finish_commit(*pending,
                         {.whole = as_known(verdict, pending->info.api_version), .items = {}});
  broker.groups().request<coordinator::CommitAnswer>(
      pending->info,
      [&](GroupCoordinator& groups, const auto& caller, const auto& now) {
        return groups.commit(caller, commit, now);
      },
      [pending](const coordinator::CommitAnswer& answer) { finish_commit(*pending, answer); });
  broker.groups().flush();
}

}  // namespace

void handle_txn_offset_commit(Broker& broker, RequestInfo info,
                              kafka::TxnOffsetCommitRequest request,
                              Reply<kafka::TxnOffsetCommitResponse> reply) {
  const std::size_t count = count_partitions(request.topics);
  if (count > limits::partitions_per_request)
    return reply.close(too_many("a TxnOffsetCommit", count));
  auto pending = std::make_shared<PendingTxnCommit>(PendingTxnCommit{.info = std::move(info),
                                                                     .request = std::move(request),
                                                                     .reply = std::move(reply),
                                                                     .response = {},
                                                                     .places = {}});
  const auto refuse = [&](Errc error) {
    (void)items_of(broker.metadata(), *pending);
    finish_commit(*pending, {.whole = error, .items = {}});
  };
  if (broker.groups().unavailable()) return refuse(Errc::coordinator_not_available);
  if (pending->request.transactional_id.empty()) return refuse(Errc::invalid_request);
  if (pending->request.group_id.empty()) return refuse(Errc::invalid_group_id);
  if (pending->request.producer_id < 0) return refuse(Errc::invalid_producer_id_mapping);
  broker.groups().ensure_topic([&broker, pending](const Result<void>& made) {
    if (made) return commit_in_transaction(broker, pending);
    (void)items_of(broker.metadata(), *pending);
    finish_commit(*pending, {.whole = Errc::coordinator_not_available, .items = {}});
  });
}

void handle_offset_fetch(Broker& broker, RequestInfo info, kafka::OffsetFetchRequest request,
                         Reply<kafka::OffsetFetchResponse> reply) {
  constexpr std::int16_t first_version_with_groups = 8;
  std::size_t count = request.topics ? count_partitions(*request.topics) : 0;
  for (const auto& group : request.groups)
    if (group.topics) count += count_partitions(*group.topics);
  if (count > limits::partitions_per_request) return reply.close(too_many("an OffsetFetch", count));
  if (info.api_version < first_version_with_groups)
    return fetch_single(broker, info, request, reply);
  kafka::OffsetFetchResponse response;
  for (const auto& group : request.groups)
    response.groups.push_back(fetch_group(broker, info, request.require_stable, group));
  reply(response);
}

void handle_offset_delete(Broker& broker, RequestInfo info, kafka::OffsetDeleteRequest request,
                          Reply<kafka::OffsetDeleteResponse> reply) {
  const std::size_t count = count_partitions(request.topics);
  if (count > limits::partitions_per_request)
    return reply.close(too_many("an OffsetDelete", count));
  auto pending = std::make_shared<PendingDelete>(PendingDelete{.info = std::move(info),
                                                               .request = std::move(request),
                                                               .reply = std::move(reply),
                                                               .response = {},
                                                               .places = {}});
  auto& response = pending->response;
  if (broker.groups().unavailable()) {
    response.error_code = wire_code(Errc::coordinator_not_available);
    return pending->reply(response);
  }
  coordinator::DeleteOffsetsRequest deletion{.group = pending->request.group_id, .items = {}};
  for (const auto& asked : pending->request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = asked.name;
    const Topic* found = broker.metadata().find(asked.name);
    for (const auto& partition : asked.partitions) {
      auto& row = out.partitions.emplace_back();
      row.partition_index = partition.partition_index;
      if (found == nullptr || row.partition_index < 0 || row.partition_index >= found->partitions) {
        row.error_code = wire_code(Errc::unknown_topic_or_partition);
        continue;
      }
      pending->places.emplace_back(response.topics.size() - 1, out.partitions.size() - 1);
      deletion.items.push_back({.topic = asked.name, .partition = partition.partition_index});
    }
  }
  broker.groups().request<coordinator::DeleteOffsetsAnswer>(
      pending->info,
      [&](GroupCoordinator& groups, const auto& caller, const auto& now) {
        return groups.delete_offsets(caller, deletion, now);
      },
      [pending](const coordinator::DeleteOffsetsAnswer& answer) {
        auto& out = pending->response;
        out.error_code = wire_code(answer.whole);
        if (answer.whole != Errc::none) out.topics.clear();
        for (std::size_t i = 0; i < pending->places.size() && answer.whole == Errc::none; ++i) {
          const auto [topic, partition] = pending->places[i];
          out.topics[topic].partitions[partition].error_code = wire_code(answer.items[i]);
        }
        pending->reply(out);
      });
}

}  // namespace weir::broker
