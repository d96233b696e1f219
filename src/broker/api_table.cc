#include "broker/api_table.h"

#include <fmt/core.h>

#include <algorithm>

#include "broker/broker.h"
#include "broker/handlers.h"

namespace weir::broker {
namespace {

/// Decodes the body and calls the typed handler; a body that is none closes the connection.
template <class Request, class Response,
          void (*handle)(Broker&, RequestInfo, Request, Reply<Response>)>
void typed(Broker& broker, RequestInfo info, std::string_view body, AnyReply reply) {
  auto request = kafka::decode_all<Request>(body, info.api_version);
  if (!request) return reply.close(request.error().message());
  handle(broker, std::move(info), std::move(*request), Reply<Response>(std::move(reply).take()));
}

#define ROW(key, Message, handle, min, max) \
  {kafka::ApiKey::key, min, max, min,       \
   typed<kafka::Message##Request, kafka::Message##Response, handle>}

constexpr ApiRow table[] = {
    {kafka::ApiKey::produce, 3, 13, 0,
     typed<kafka::ProduceRequest, kafka::ProduceResponse, handle_produce>},
    ROW(fetch, Fetch, handle_fetch, 4, 18),
    ROW(list_offsets, ListOffsets, handle_list_offsets, 1, 11),
    ROW(metadata, Metadata, handle_metadata, 0, 13),
    ROW(offset_commit, OffsetCommit, handle_offset_commit, 2, 10),
    ROW(offset_fetch, OffsetFetch, handle_offset_fetch, 1, 10),
    ROW(find_coordinator, FindCoordinator, handle_find_coordinator, 0, 6),
    ROW(join_group, JoinGroup, handle_join_group, 0, 9),
    ROW(heartbeat, Heartbeat, handle_heartbeat, 0, 4),
    ROW(leave_group, LeaveGroup, handle_leave_group, 0, 5),
    ROW(sync_group, SyncGroup, handle_sync_group, 0, 5),
    ROW(describe_groups, DescribeGroups, handle_describe_groups, 0, 6),
    ROW(list_groups, ListGroups, handle_list_groups, 0, 5),
    ROW(api_versions, ApiVersions, handle_api_versions, 0, 4),
    ROW(create_topics, CreateTopics, handle_create_topics, 2, 7),
    ROW(delete_topics, DeleteTopics, handle_delete_topics, 1, 6),
    ROW(delete_records, DeleteRecords, handle_delete_records, 0, 2),
    ROW(init_producer_id, InitProducerId, handle_init_producer_id, 0, 5),
    ROW(add_partitions_to_txn, AddPartitionsToTxn, handle_add_partitions_to_txn, 0, 5),
    ROW(add_offsets_to_txn, AddOffsetsToTxn, handle_add_offsets_to_txn, 0, 4),
    ROW(end_txn, EndTxn, handle_end_txn, 0, 5),
    ROW(write_txn_markers, WriteTxnMarkers, handle_write_txn_markers, 1, 1),
    ROW(txn_offset_commit, TxnOffsetCommit, handle_txn_offset_commit, 0, 5),
    ROW(offset_for_leader_epoch, OffsetForLeaderEpoch, handle_offset_for_leader_epoch, 2, 4),
    ROW(describe_configs, DescribeConfigs, handle_describe_configs, 1, 4),
    ROW(alter_configs, AlterConfigs, handle_alter_configs, 0, 2),
    ROW(describe_log_dirs, DescribeLogDirs, handle_describe_log_dirs, 1, 5),
    ROW(create_partitions, CreatePartitions, handle_create_partitions, 0, 3),
    ROW(delete_groups, DeleteGroups, handle_delete_groups, 0, 2),
    ROW(incremental_alter_configs, IncrementalAlterConfigs, handle_incremental_alter_configs, 0, 1),
    ROW(offset_delete, OffsetDelete, handle_offset_delete, 0, 0),
    ROW(describe_cluster, DescribeCluster, handle_describe_cluster, 0, 2),
    ROW(describe_producers, DescribeProducers, handle_describe_producers, 0, 0),
    ROW(describe_transactions, DescribeTransactions, handle_describe_transactions, 0, 0),
    ROW(list_transactions, ListTransactions, handle_list_transactions, 0, 2),
    ROW(describe_topic_partitions, DescribeTopicPartitions, handle_describe_topic_partitions, 0, 0),
};

#undef ROW

}  // namespace

std::span<const ApiRow> served_apis() { return table; }

const ApiRow* find_served(kafka::ApiKey key) {
  const auto found = std::find_if(std::begin(table), std::end(table),
                                  [&](const ApiRow& row) { return row.key == key; });
  return found == std::end(table) ? nullptr : found;
}

void dispatch(Broker& broker, RequestInfo info, std::string_view body, AnyReply reply) {
  const ApiRow* row = find_served(reply.api());
  if (row == nullptr)
    return reply.close(fmt::format("{} is not served", kafka::name_of(reply.api())));
  if (info.api_version >= row->min_version && info.api_version <= row->max_version)
    return row->handler(broker, std::move(info), body, std::move(reply));
  if (row->key == kafka::ApiKey::api_versions) {
    // KIP-511: the body is not looked at; the answer is of version 0 and says what there is.
    reply.set_version(0);
    kafka::ApiVersionsResponse response;
    response.error_code = wire_code(Errc::unsupported_version);
    response.api_keys.push_back({.api_key = static_cast<std::int16_t>(row->key),
                                 .min_version = row->min_version,
                                 .max_version = row->max_version,
                                 .unknown_tags = {}});
    return Reply<kafka::ApiVersionsResponse>(std::move(reply).take())(response);
  }
  reply.close(fmt::format("{} version {} is not served, only {} to {}", kafka::name_of(row->key),
                          info.api_version, row->min_version, row->max_version));
}

}  // namespace weir::broker
