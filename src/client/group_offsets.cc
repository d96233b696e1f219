#include "client/group_offsets.h"

#include <fmt/core.h>

#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_fetch.h"

namespace weir::client {

struct FetchQuestion {
  std::optional<std::vector<TopicPartition>> partitions;  // absent: all
  bool require_stable = false;
};

namespace {

/// Version 10 of both knows topics by id alone.
constexpr std::int16_t last_version_with_names = 9;

std::shared_ptr<kafka::OffsetCommitRequest> commit_request(const std::string& group,
                                                           const GroupMetadata& member,
                                                           const CommitEntries& entries) {
  auto request = std::make_shared<kafka::OffsetCommitRequest>();
  request->group_id = request->keep(group);
  request->generation_id_or_member_epoch = member.generation;
  request->member_id = request->keep(member.member_id);
  if (member.instance_id) request->group_instance_id = request->keep(*member.instance_id);
  for (const auto& [partition, entry] : entries) {
    if (request->topics.empty() || request->topics.back().name != partition.topic)
      request->topics.emplace_back().name = request->keep(partition.topic);
    auto& told = request->topics.back().partitions.emplace_back();
    told.partition_index = partition.partition;
    told.committed_offset = entry.what.offset;
    told.committed_leader_epoch = entry.what.leader_epoch;
    told.committed_metadata = request->keep(entry.what.metadata);
  }
  return request;
}

/// The error that says most: one of the group before one of a partition.
Result<void> error_of(const kafka::OffsetCommitResponse& response, const std::string& group) {
  std::optional<Error> first;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      const Errc code = errc_from_wire(partition.error_code);
      if (code == Errc::none) continue;
      Error error(code, fmt::format("group {}: commit of {}-{}: {}", group, topic.name,
                                    partition.partition_index, name_of(code)));
      const bool whole = code == Errc::illegal_generation || code == Errc::unknown_member_id ||
                         code == Errc::rebalance_in_progress || code == Errc::fenced_instance_id ||
                         code == Errc::group_authorization_failed || is_about_coordinator(code);
      if (whole) return fail(std::move(error));
      if (!first) first = std::move(error);
    }
  }
  if (first) return fail(std::move(*first));
  return {};
}

std::shared_ptr<kafka::OffsetFetchRequest> fetch_request(const std::string& group,
                                                         const FetchQuestion& question) {
  auto request = std::make_shared<kafka::OffsetFetchRequest>();
  request->require_stable = question.require_stable;
  request->group_id = request->keep(group);  // versions 1 to 7
  auto& of_group = request->groups.emplace_back();
  of_group.group_id = request->group_id;
  if (!question.partitions) {
    request->topics = std::nullopt;
    of_group.topics = std::nullopt;
    return request;
  }
  for (const TopicPartition& partition : *question.partitions) {
    if (request->topics->empty() || request->topics->back().name != partition.topic) {
      request->topics->emplace_back().name = request->keep(partition.topic);
      of_group.topics->emplace_back().name = request->topics->back().name;
    }
    request->topics->back().partition_indexes.push_back(partition.partition);
    of_group.topics->back().partition_indexes.push_back(partition.partition);
  }
  return request;
}

template <class Topics, class Each>
Result<void> walk(const Topics& topics, const std::string& group, Each each) {
  for (const auto& topic : topics) {
    for (const auto& partition : topic.partitions) {
      const Errc code = errc_from_wire(partition.error_code);
      if (code != Errc::none)
        return fail(code, fmt::format("group {}: offset of {}-{}: {}", group, topic.name,
                                      partition.partition_index, name_of(code)));
      each(topic, partition);
    }
  }
  return {};
}

/// Calls `each` for every partition; the first error of group or partition instead.
template <class Each>
Result<void> walk(const kafka::OffsetFetchResponse& response, const std::string& group, Each each) {
  const bool by_group = !response.groups.empty();
  const Errc code =
      errc_from_wire(by_group ? response.groups.front().error_code : response.error_code);
  if (code != Errc::none)
    return fail(code, fmt::format("group {}: its offsets: {}", group, name_of(code)));
  if (by_group) return walk(response.groups.front().topics, group, each);
  return walk(response.topics, group, each);
}

}  // namespace

void GroupOffsets::commit(CommitEntries entries, MonoTime deadline, CommitDone done) {
  if (queue_.size() >= commits_waiting) {
    cluster_.later(Duration(0), [done = std::move(done)]() mutable {
      done(fail(Errc::queue_full,
                fmt::format("{} commits wait for the coordinator already", commits_waiting)));
    });
    return;
  }
  const std::size_t wanted = entries.size();
  queue_.push_back({std::move(entries), deadline, std::move(done), wanted});
  if (queue_.size() == 1) start();
}

void GroupOffsets::start() {
  using Request = kafka::OffsetCommitRequest;
  using Response = kafka::OffsetCommitResponse;
  coordinator_.call<Request, Response>(
      Lane::coordinator, queue_.front().deadline,
      [this]() -> Result<std::shared_ptr<const Request>> {
        Commit& commit = queue_.front();
        auto member = judge_.allow(commit.entries);
        if (!member) return fail(member.error());
        commit.asked = std::move(*member);
        if (commit.entries.empty() && commit.wanted > 0)
          return fail(Errc::illegal_generation,
                      fmt::format("group {}: nothing of this commit is owned any more",
                                  coordinator_.key()));
        return commit_request(coordinator_.key(), commit.asked, commit.entries);
      },
      [this](const Response& response) -> Result<void> {
        auto error = error_of(response, coordinator_.key());
        if (error) return error;
        Commit& commit = queue_.front();
        if (!judge_.refused(commit.asked, error.error().code())) return error;
        commit.refusal = error.error();
        return fail(Errc::coordinator_load_in_progress, error.error().message());
      },
      [this, alive = alive_](const Result<Reply<Response>>& reply) {
        if (!*alive) return;
        const Commit& commit = queue_.front();
        if (!reply) return finish(fail(commit.refusal.value_or(reply.error())));
        if (commit.entries.size() < commit.wanted)
          return finish(fail(Errc::illegal_generation,
                             fmt::format("group {}: {} of {} partitions are not owned any more",
                                         coordinator_.key(), commit.wanted - commit.entries.size(),
                                         commit.wanted)));
        finish({});
      },
      last_version_with_names);
}

void GroupOffsets::finish(Result<void> result) {
  CommitDone done = std::move(queue_.front().done);
  queue_.pop_front();
  if (!queue_.empty()) start();
  done(std::move(result));
}

void GroupOffsets::fetch(const std::vector<TopicPartition>& partitions, bool require_stable,
                         MonoTime deadline, FetchDone done) {
  ask(std::make_shared<FetchQuestion>(FetchQuestion{partitions, require_stable}), deadline,
      std::move(done));
}

void GroupOffsets::fetch_all(bool require_stable, MonoTime deadline, FetchDone done) {
  ask(std::make_shared<FetchQuestion>(FetchQuestion{std::nullopt, require_stable}), deadline,
      std::move(done));
}

void GroupOffsets::ask(std::shared_ptr<const FetchQuestion> question, MonoTime deadline,
                       FetchDone done) {
  using Request = kafka::OffsetFetchRequest;
  using Response = kafka::OffsetFetchResponse;
  coordinator_.call<Request, Response>(
      Lane::coordinator, deadline,
      [this, question]() -> Result<std::shared_ptr<const Request>> {
        return fetch_request(coordinator_.key(), *question);
      },
      [group = coordinator_.key()](const Response& response) {
        return walk(response, group, [](const auto&, const auto&) {});
      },
      [group = coordinator_.key(), question,
       done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        CommittedOffsets found;
        if (question->partitions)
          for (const TopicPartition& partition : *question->partitions) found[partition];
        auto walked = walk(reply->message, group, [&](const auto& topic, const auto& partition) {
          auto& told = found[{std::string(topic.name), partition.partition_index}];
          if (partition.committed_offset >= 0)
            told = OffsetAndMetadata{partition.committed_offset, partition.committed_leader_epoch,
                                     std::string(partition.metadata.value_or(""))};
        });
        if (!walked) return done(fail(walked.error()));
        if (!question->partitions)
          std::erase_if(found, [](const auto& entry) { return !entry.second; });
        done(std::move(found));
      },
      last_version_with_names);
}

}  // namespace weir::client
