// The handlers, one an API. Each answers through its reply, now or later; views in a request borrow
// from `info.frame`, which a handler that answers later keeps.
#pragma once

#include "broker/connection.h"
#include "kafka/messages/add_offsets_to_txn.h"
#include "kafka/messages/add_partitions_to_txn.h"
#include "kafka/messages/alter_configs.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/create_partitions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/delete_groups.h"
#include "kafka/messages/delete_records.h"
#include "kafka/messages/delete_topics.h"
#include "kafka/messages/describe_cluster.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/messages/describe_groups.h"
#include "kafka/messages/describe_log_dirs.h"
#include "kafka/messages/describe_producers.h"
#include "kafka/messages/describe_topic_partitions.h"
#include "kafka/messages/describe_transactions.h"
#include "kafka/messages/end_txn.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/incremental_alter_configs.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/list_groups.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/list_transactions.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_delete.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/offset_for_leader_epoch.h"
#include "kafka/messages/produce.h"
#include "kafka/messages/sync_group.h"
#include "kafka/messages/txn_offset_commit.h"
#include "kafka/messages/write_txn_markers.h"

namespace weir::broker {

#define WEIR_HANDLER(name, message)                                            \
  void name(Broker& broker, RequestInfo info, kafka::message##Request request, \
            Reply<kafka::message##Response> reply)

// produce_handlers.cc
WEIR_HANDLER(handle_produce, Produce);
// transaction_handlers.cc
WEIR_HANDLER(handle_init_producer_id, InitProducerId);
WEIR_HANDLER(handle_add_partitions_to_txn, AddPartitionsToTxn);
WEIR_HANDLER(handle_add_offsets_to_txn, AddOffsetsToTxn);
WEIR_HANDLER(handle_end_txn, EndTxn);
WEIR_HANDLER(handle_write_txn_markers, WriteTxnMarkers);
WEIR_HANDLER(handle_describe_transactions, DescribeTransactions);
WEIR_HANDLER(handle_list_transactions, ListTransactions);
WEIR_HANDLER(handle_describe_producers, DescribeProducers);
// fetch_handlers.cc
WEIR_HANDLER(handle_fetch, Fetch);
// offset_handlers.cc
WEIR_HANDLER(handle_list_offsets, ListOffsets);
WEIR_HANDLER(handle_offset_for_leader_epoch, OffsetForLeaderEpoch);
WEIR_HANDLER(handle_delete_records, DeleteRecords);
// cluster_handlers.cc
WEIR_HANDLER(handle_api_versions, ApiVersions);
WEIR_HANDLER(handle_metadata, Metadata);
WEIR_HANDLER(handle_describe_cluster, DescribeCluster);
WEIR_HANDLER(handle_describe_topic_partitions, DescribeTopicPartitions);
WEIR_HANDLER(handle_describe_log_dirs, DescribeLogDirs);
WEIR_HANDLER(handle_find_coordinator, FindCoordinator);
// topic_handlers.cc
WEIR_HANDLER(handle_create_topics, CreateTopics);
WEIR_HANDLER(handle_delete_topics, DeleteTopics);
WEIR_HANDLER(handle_create_partitions, CreatePartitions);
// group_handlers.cc
WEIR_HANDLER(handle_join_group, JoinGroup);
WEIR_HANDLER(handle_sync_group, SyncGroup);
WEIR_HANDLER(handle_heartbeat, Heartbeat);
WEIR_HANDLER(handle_leave_group, LeaveGroup);
WEIR_HANDLER(handle_list_groups, ListGroups);
WEIR_HANDLER(handle_describe_groups, DescribeGroups);
WEIR_HANDLER(handle_delete_groups, DeleteGroups);
// group_offset_handlers.cc
WEIR_HANDLER(handle_offset_commit, OffsetCommit);
WEIR_HANDLER(handle_offset_fetch, OffsetFetch);
WEIR_HANDLER(handle_offset_delete, OffsetDelete);
WEIR_HANDLER(handle_txn_offset_commit, TxnOffsetCommit);
// config_handlers.cc
WEIR_HANDLER(handle_describe_configs, DescribeConfigs);
WEIR_HANDLER(handle_alter_configs, AlterConfigs);
WEIR_HANDLER(handle_incremental_alter_configs, IncrementalAlterConfigs);

#undef WEIR_HANDLER

}  // namespace weir::broker
