// Administration of groups: each call goes to the group's coordinator.
#include <fmt/core.h>

#include <algorithm>

#include "client/admin_core.h"
#include "client/coordinator.h"
#include "client/group_offsets.h"
#include "client/group_payload.h"
#include "kafka/messages/delete_groups.h"
#include "kafka/messages/delete_records.h"
#include "kafka/messages/describe_groups.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/list_groups.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/offset_delete.h"

namespace weir::client {
namespace {

Result<void> outcome(std::int16_t wire, std::string_view what, std::string_view said = {}) {
  const Errc code = errc_from_wire(wire);
  if (code == Errc::none) return {};
  return fail(code, fmt::format("{}: {}", what, said.empty() ? name_of(code) : said));
}

/// Commits as nobody: allowed while the group has no members.
class Administrator final : public CommitJudge {
 public:
  explicit Administrator(std::string group) : group_(std::move(group)) {}
  Result<GroupMetadata> allow(CommitEntries&) override { return GroupMetadata{.group = group_}; }
  bool refused(const GroupMetadata&, Errc) override { return false; }

 private:
  std::string group_;
};

GroupDescription described(const kafka::DescribeGroupsResponse::DescribedGroup& told) {
  GroupDescription out{.id = std::string(told.group_id),
                       .state = std::string(told.group_state),
                       .protocol_type = std::string(told.protocol_type),
                       .assignor = std::string(told.protocol_data),
                       .members = {}};
  for (const auto& member : told.members) {
    auto& made = out.members.emplace_back();
    made.id = std::string(member.member_id);
    if (member.group_instance_id) made.instance_id = std::string(*member.group_instance_id);
    made.client_id = std::string(member.client_id);
    made.host = std::string(member.client_host);
    if (out.protocol_type != "consumer") continue;
    if (auto subscription = decode_subscription(member.member_metadata))
      made.topics = std::move(subscription->topics);
    if (auto assignment = decode_assignment(member.member_assignment))
      made.assignment = std::move(assignment->partitions);
  }
  std::sort(out.members.begin(), out.members.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

}  // namespace

/// What one call needs.
struct AdminCore::GroupCall {
  GroupCall(Cluster& cluster, const std::string& group)
      : coordinator(cluster, group), judge(group), offsets(cluster, coordinator, judge) {}
  Coordinator coordinator;
  Administrator judge;
  GroupOffsets offsets;
};

AdminCore::AdminCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster)
    : cluster_(loop, transport, rng, std::move(cluster)) {}
AdminCore::~AdminCore() = default;

AdminCore::GroupCall& AdminCore::begin_call(const std::string& group, std::uint64_t& id) {
  id = ++last_call_;
  auto& call = calls_[id];
  call = std::make_unique<GroupCall>(cluster_, group);
  return *call;
}

// Later: we may stand inside one of its callbacks.
void AdminCore::end_call(std::uint64_t id) {
  cluster_.later(Duration(0), [this, id] {
    calls_.erase(id);
    transaction_calls_.erase(id);
  });
}

void AdminCore::list_groups(MonoTime deadline, Done<std::vector<GroupListing>> done) {
  describe_cluster(deadline, [this, deadline, done = std::move(done)](auto cluster) mutable {
    if (!cluster) return done(fail(cluster.error()));
    std::vector<std::int32_t> brokers;
    for (const BrokerDescription& broker : cluster->brokers) brokers.push_back(broker.id);
    list_groups_of(brokers, deadline, std::move(done));
  });
}

void AdminCore::list_groups_of(const std::vector<std::int32_t>& brokers, MonoTime deadline,
                               Done<std::vector<GroupListing>> done) {
  using Response = kafka::ListGroupsResponse;
  struct Gathering {  // shared by the brokers' answers
    std::map<std::string, GroupListing> groups;
    std::size_t open;
    std::optional<Error> error;
    Done<std::vector<GroupListing>> done;
  };
  if (brokers.empty()) return done(std::vector<GroupListing>{});
  auto gathering = std::make_shared<Gathering>(
      Gathering{.groups = {}, .open = brokers.size(), .error = {}, .done = std::move(done)});
  for (const std::int32_t broker : brokers) {
    cluster_.call<kafka::ListGroupsRequest, Response>(
        Target::broker(broker), deadline, std::make_shared<kafka::ListGroupsRequest>(),
        [](const Response& response) { return outcome(response.error_code, "groups"); },
        [gathering](Result<Reply<Response>> reply) {
          if (!reply) {
            gathering->error = reply.error();
          } else {
            for (const auto& told : reply->message.groups)
              gathering->groups[std::string(told.group_id)] = {
                  std::string(told.group_id), std::string(told.protocol_type),
                  std::string(told.group_state), std::string(told.group_type)};
          }
          if (--gathering->open > 0) return;
          if (gathering->error) return gathering->done(fail(*gathering->error));
          std::vector<GroupListing> out;
          for (auto& [id, group] : gathering->groups) out.push_back(std::move(group));
          gathering->done(std::move(out));
        });
  }
}

void AdminCore::describe_group(const std::string& group, MonoTime deadline,
                               Done<GroupDescription> done) {
  using Request = kafka::DescribeGroupsRequest;
  using Response = kafka::DescribeGroupsResponse;
  std::uint64_t id = 0;
  GroupCall& call = begin_call(group, id);
  call.coordinator.call<Request, Response>(
      Lane::control, deadline,
      [group]() -> Result<std::shared_ptr<const Request>> {
        auto request = std::make_shared<Request>();
        request->groups.push_back(request->keep(group));
        return request;
      },
      [group](const Response& response) -> Result<void> {
        if (response.groups.empty())
          return fail(Errc::protocol_error, "group " + group + ": not in the broker's answer");
        const auto& told = response.groups.front();
        return outcome(told.error_code, "group " + group, told.error_message.value_or(""));
      },
      [this, id, group, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        end_call(id);
        if (!reply) return done(fail(reply.error()));
        const auto& told = reply->message.groups.front();
        // Before version 6 a group that does not exist is described as a dead one.
        if (told.group_state == "Dead")
          return done(fail(Errc::group_id_not_found, "group " + group + ": does not exist"));
        done(described(told));
      });
}

void AdminCore::delete_group(const std::string& group, MonoTime deadline, Done<void> done) {
  using Request = kafka::DeleteGroupsRequest;
  using Response = kafka::DeleteGroupsResponse;
  std::uint64_t id = 0;
  GroupCall& call = begin_call(group, id);
  call.coordinator.call<Request, Response>(
      Lane::control, deadline,
      [group]() -> Result<std::shared_ptr<const Request>> {
        auto request = std::make_shared<Request>();
        request->groups_names.push_back(request->keep(group));
        return request;
      },
      [group](const Response& response) -> Result<void> {
        if (response.results.empty())
          return fail(Errc::protocol_error, "group " + group + ": not in the broker's answer");
        return outcome(response.results.front().error_code, "group " + group);
      },
      [this, id, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        end_call(id);
        if (!reply) return done(fail(reply.error()));
        done({});
      });
}

void AdminCore::remove_group_members(const std::string& group, MonoTime deadline, Done<void> done) {
  describe_group(group, deadline,
                 [this, group, deadline, done = std::move(done)](auto told) mutable {
                   if (!told && told.error().code() == Errc::group_id_not_found) return done({});
                   if (!told) return done(fail(told.error()));
                   if (told->members.empty()) return done({});
                   remove_members(group, told->members, deadline, std::move(done));
                 });
}

void AdminCore::remove_members(const std::string& group,
                               const std::vector<GroupMemberDescription>& members,
                               MonoTime deadline, Done<void> done) {
  using Request = kafka::LeaveGroupRequest;
  using Response = kafka::LeaveGroupResponse;
  std::uint64_t id = 0;
  GroupCall& call = begin_call(group, id);
  call.coordinator.call<Request, Response>(
      Lane::control, deadline,
      [group, members]() -> Result<std::shared_ptr<const Request>> {
        auto request = std::make_shared<Request>();
        request->group_id = request->keep(group);
        request->member_id = request->keep(members.front().id);  // versions 0 to 2
        for (const GroupMemberDescription& member : members) {
          auto& leaver = request->members.emplace_back();
          // A static member goes by the name that it keeps, whatever its id is by now.
          if (member.instance_id)
            leaver.group_instance_id = request->keep(*member.instance_id);
          else
            leaver.member_id = request->keep(member.id);
          leaver.reason = request->keep("removed by an administrator");
        }
        return request;
      },
      [group](const Response& response) -> Result<void> {
        // Who has gone by itself is as good as removed.
        const auto judge = [&](std::int16_t code) -> Result<void> {
          if (errc_from_wire(code) == Errc::unknown_member_id) return {};
          return outcome(code, "group " + group);
        };
        if (auto r = judge(response.error_code); !r) return r;
        for (const auto& member : response.members)
          if (auto r = judge(member.error_code); !r) return r;
        return {};
      },
      [this, id, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        end_call(id);
        if (!reply) return done(fail(reply.error()));
        done({});
      });
}

void AdminCore::list_group_offsets(const std::string& group, bool require_stable, MonoTime deadline,
                                   Done<std::map<TopicPartition, OffsetAndMetadata>> done) {
  std::uint64_t id = 0;
  GroupCall& call = begin_call(group, id);
  call.offsets.fetch_all(
      require_stable, deadline,
      [this, id, done = std::move(done)](Result<CommittedOffsets> found) mutable {
        end_call(id);
        if (!found) return done(fail(found.error()));
        std::map<TopicPartition, OffsetAndMetadata> out;
        for (auto& [partition, offset] : *found) out[partition] = std::move(*offset);
        done(std::move(out));
      });
}

void AdminCore::alter_group_offsets(const std::string& group,
                                    const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                                    MonoTime deadline, Done<void> done) {
  if (offsets.empty()) return done({});
  CommitEntries entries;
  for (const auto& [partition, offset] : offsets) entries[partition] = {offset, 0};
  std::uint64_t id = 0;
  GroupCall& call = begin_call(group, id);
  call.offsets.commit(std::move(entries), deadline,
                      [this, id, done = std::move(done)](Result<void> result) mutable {
                        end_call(id);
                        done(std::move(result));
                      });
}

void AdminCore::delete_group_offsets(const std::string& group,
                                     const std::vector<TopicPartition>& partitions,
                                     MonoTime deadline, Done<void> done) {
  using Request = kafka::OffsetDeleteRequest;
  using Response = kafka::OffsetDeleteResponse;
  std::uint64_t id = 0;
  GroupCall& call = begin_call(group, id);
  call.coordinator.call<Request, Response>(
      Lane::control, deadline,
      [group, partitions]() -> Result<std::shared_ptr<const Request>> {
        auto request = std::make_shared<Request>();
        request->group_id = request->keep(group);
        for (const TopicPartition& partition : partitions) {
          if (request->topics.empty() || request->topics.back().name != partition.topic)
            request->topics.emplace_back().name = request->keep(partition.topic);
          request->topics.back().partitions.emplace_back().partition_index = partition.partition;
        }
        return request;
      },
      [group](const Response& response) -> Result<void> {
        if (auto r = outcome(response.error_code, "group " + group); !r) return r;
        for (const auto& topic : response.topics)
          for (const auto& partition : topic.partitions)
            if (auto r = outcome(partition.error_code,
                                 fmt::format("group {}: offset of {}-{}", group, topic.name,
                                             partition.partition_index));
                !r)
              return r;
        return {};
      },
      [this, id, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        end_call(id);
        if (!reply) return done(fail(reply.error()));
        done({});
      });
}

void AdminCore::delete_records(const std::map<TopicPartition, std::int64_t>& before,
                               MonoTime deadline,
                               Done<std::map<TopicPartition, std::int64_t>> done) {
  using Response = kafka::MetadataResponse;
  if (before.empty()) return done(std::map<TopicPartition, std::int64_t>{});
  auto request = std::make_shared<kafka::MetadataRequest>();
  request->allow_auto_topic_creation = false;
  for (const auto& [partition, offset] : before)
    if (request->topics->empty() || *request->topics->back().name != partition.topic)
      request->topics->emplace_back().name = request->keep(partition.topic);
  cluster_.call<kafka::MetadataRequest, Response>(
      Route::any, deadline, std::move(request), [](const Response&) { return Result<void>(); },
      [this, before, deadline, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        std::map<TopicPartition, std::int32_t> leaders;
        for (const auto& topic : reply->message.topics)
          for (const auto& partition : topic.partitions)
            if (topic.name)
              leaders[{std::string(*topic.name), partition.partition_index}] = partition.leader_id;
        std::map<std::int32_t, std::map<TopicPartition, std::int64_t>> by_leader;
        for (const auto& [partition, offset] : before) {
          const auto leader = leaders.find(partition);
          if (leader == leaders.end() || leader->second < 0)
            return done(fail(leader == leaders.end() ? Errc::unknown_topic_or_partition
                                                     : Errc::leader_not_available,
                             fmt::format("{}-{}", partition.topic, partition.partition)));
          by_leader[leader->second][partition] = offset;
        }
        delete_records_of(by_leader, deadline, std::move(done));
      });
}

void AdminCore::delete_records_of(
    const std::map<std::int32_t, std::map<TopicPartition, std::int64_t>>& by_leader,
    MonoTime deadline, Done<std::map<TopicPartition, std::int64_t>> done) {
  using Request = kafka::DeleteRecordsRequest;
  using Response = kafka::DeleteRecordsResponse;
  struct Gathering {  // shared by the brokers' answers
    std::map<TopicPartition, std::int64_t> starts;
    std::size_t open;
    std::optional<Error> error;
    Done<std::map<TopicPartition, std::int64_t>> done;
  };
  auto gathering = std::make_shared<Gathering>(
      Gathering{.starts = {}, .open = by_leader.size(), .error = {}, .done = std::move(done)});
  for (const auto& [leader, partitions] : by_leader) {
    auto request = std::make_shared<Request>();
    request->timeout_ms = 30'000;
    for (const auto& [partition, offset] : partitions) {
      if (request->topics.empty() || request->topics.back().name != partition.topic)
        request->topics.emplace_back().name = request->keep(partition.topic);
      auto& told = request->topics.back().partitions.emplace_back();
      told.partition_index = partition.partition;
      told.offset = offset;
    }
    cluster_.call<Request, Response>(
        Target::broker(leader), deadline, std::move(request),
        [](const Response& response) -> Result<void> {
          for (const auto& topic : response.topics)
            for (const auto& partition : topic.partitions)
              if (auto r = outcome(partition.error_code,
                                   fmt::format("{}-{}", topic.name, partition.partition_index));
                  !r)
                return r;
          return {};
        },
        [gathering](Result<Reply<Response>> reply) {
          if (!reply) {
            gathering->error = reply.error();
          } else {
            for (const auto& topic : reply->message.topics)
              for (const auto& partition : topic.partitions)
                gathering->starts[{std::string(topic.name), partition.partition_index}] =
                    partition.low_watermark;
          }
          if (--gathering->open > 0) return;
          if (gathering->error) return gathering->done(fail(*gathering->error));
          gathering->done(std::move(gathering->starts));
        });
  }
}

}  // namespace weir::client
