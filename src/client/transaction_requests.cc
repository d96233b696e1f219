#include "client/transaction_requests.h"

#include <fmt/core.h>

namespace weir::client {
namespace {

using Kind = TransactionRequest::Kind;

TransactionAnswer refused(Errc code, std::string_view what, const std::string& id) {
  if (code == Errc::none) return {};
  return {.code = code,
          .message = fmt::format("transactional id {}: {}: {}", id, what, name_of(code))};
}

/// Keeps the worse of two answers.
void worsen(TransactionAnswer& so_far, TransactionAnswer next, Kind kind) {
  if (next.code == Errc::none) return;
  if (so_far.code == Errc::none || remedy_for(kind, next.code) > remedy_for(kind, so_far.code) ||
      so_far.code == Errc::operation_not_attempted)
    so_far = std::move(next);
}

}  // namespace

void fill(kafka::InitProducerIdRequest& out, const TransactionRequest& request,
          const std::string& id, std::int32_t timeout_ms) {
  out.transactional_id = out.keep(id);
  out.transaction_timeout_ms = timeout_ms;
  out.producer_id = request.identity.id;
  out.producer_epoch = request.identity.epoch;
}

void fill(kafka::AddPartitionsToTxnRequest& out, const TransactionRequest& request,
          const std::string& id, std::int32_t) {
  out.v3_and_below_transactional_id = out.keep(id);
  out.v3_and_below_producer_id = request.identity.id;
  out.v3_and_below_producer_epoch = request.identity.epoch;
  auto& topics = out.v3_and_below_topics;
  for (const TopicPartition& partition : request.partitions) {
    if (topics.empty() || topics.back().name != partition.topic)
      topics.emplace_back().name = out.keep(partition.topic);
    topics.back().partitions.push_back(partition.partition);
  }
}

void fill(kafka::AddOffsetsToTxnRequest& out, const TransactionRequest& request,
          const std::string& id, std::int32_t) {
  out.transactional_id = out.keep(id);
  out.producer_id = request.identity.id;
  out.producer_epoch = request.identity.epoch;
  out.group_id = out.keep(request.offsets.member.group);
}

void fill(kafka::TxnOffsetCommitRequest& out, const TransactionRequest& request,
          const std::string& id, std::int32_t) {
  const GroupMetadata& member = request.offsets.member;
  out.transactional_id = out.keep(id);
  out.group_id = out.keep(member.group);
  out.producer_id = request.identity.id;
  out.producer_epoch = request.identity.epoch;
  out.generation_id = member.generation;
  out.member_id = out.keep(member.member_id);
  if (member.instance_id) out.group_instance_id = out.keep(*member.instance_id);
  for (const auto& [partition, what] : request.offsets.offsets) {
    if (out.topics.empty() || out.topics.back().name != partition.topic)
      out.topics.emplace_back().name = out.keep(partition.topic);
    auto& told = out.topics.back().partitions.emplace_back();
    told.partition_index = partition.partition;
    told.committed_offset = what.offset;
    told.committed_leader_epoch = what.leader_epoch;
    told.committed_metadata = out.keep(what.metadata);
  }
}

void fill(kafka::EndTxnRequest& out, const TransactionRequest& request, const std::string& id,
          std::int32_t) {
  out.transactional_id = out.keep(id);
  out.producer_id = request.identity.id;
  out.producer_epoch = request.identity.epoch;
  out.committed = request.commit;
}

TransactionAnswer answer_of(const kafka::InitProducerIdResponse& response, const std::string& id) {
  const Errc code = errc_from_wire(response.error_code);
  if (code != Errc::none) return refused(code, "no producer id", id);
  if (response.producer_id < 0 || response.producer_epoch < 0)
    return refused(Errc::malformed, "a producer id below 0", id);
  return {.identity = {response.producer_id, response.producer_epoch}};
}

TransactionAnswer answer_of(const kafka::AddPartitionsToTxnResponse& response,
                            const std::string& id) {
  TransactionAnswer worst;
  for (const auto& topic : response.results_by_topic_v3_and_below)
    for (const auto& partition : topic.results_by_partition)
      worsen(worst,
             refused(errc_from_wire(partition.partition_error_code),
                     fmt::format("{}-{} is not added", topic.name, partition.partition_index), id),
             Kind::add_partitions);
  return worst;
}

TransactionAnswer answer_of(const kafka::AddOffsetsToTxnResponse& response, const std::string& id) {
  return refused(errc_from_wire(response.error_code), "the group is not added", id);
}

TransactionAnswer answer_of(const kafka::TxnOffsetCommitResponse& response, const std::string& id) {
  TransactionAnswer worst;
  for (const auto& topic : response.topics)
    for (const auto& partition : topic.partitions)
      worsen(worst,
             refused(errc_from_wire(partition.error_code),
                     fmt::format("offset of {}-{}", topic.name, partition.partition_index), id),
             Kind::commit_offsets);
  return worst;
}

TransactionAnswer answer_of(const kafka::EndTxnResponse& response, const std::string& id) {
  const Errc code = errc_from_wire(response.error_code);
  if (code != Errc::none) return refused(code, "its end", id);
  return {.identity = {response.producer_id, response.producer_epoch}};
}

}  // namespace weir::client
