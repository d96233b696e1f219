// ListOffsets, OffsetForLeaderEpoch, DeleteRecords: offsets by place, by time, by epoch, and the
// start of a log.
#include <set>

#include "broker/broker.h"
#include "broker/handlers.h"
#include "kafka/record_batch.h"

namespace weir::broker {
namespace {

constexpr std::int64_t latest = -1, earliest = -2, max_timestamp = -3, earliest_local = -4,
                       latest_tiered = -5, earliest_pending_upload = -6;

/// Whether clients of the version know this way to ask; they would not understand the answer.
bool is_known(std::int64_t timestamp, std::int16_t version) {
  switch (timestamp) {
    case latest:
    case earliest: return true;
    case max_timestamp: return version >= 7;
    case earliest_local: return version >= 8;
    case latest_tiered: return version >= 9;
    case earliest_pending_upload: return version >= 11;
    default: return timestamp >= 0;
  }
}

/// The first record of the batch that is not older than `timestamp`.
Result<std::optional<log::TimeMatch>> first_record_at(std::string_view bytes,
                                                      std::int64_t timestamp) {
  auto batch = kafka::BatchView::parse(bytes);
  if (!batch) return fail(batch.error());
  auto reader = kafka::RecordReader::open(*batch);
  if (!reader) return fail(reader.error());
  kafka::RecordView record;
  while (reader->next(record))
    if (record.timestamp >= timestamp)
      return log::TimeMatch{.offset = Offset(record.offset),
                            .timestamp = record.timestamp,
                            .epoch = LeaderEpoch(batch->leader_epoch())};
  if (reader->error() != nullptr) return fail(*reader->error());
  return std::nullopt;
}

struct PendingListOffsets {
  RequestInfo info;
  kafka::ListOffsetsRequest request;
  Reply<kafka::ListOffsetsResponse> reply;
  kafka::ListOffsetsResponse response;
  std::size_t waiting = 1;
  void finish_one() {
    if (--waiting == 0) reply(response);
  }
};

using Out = kafka::ListOffsetsResponse::ListOffsetsPartitionResponse;

Errc check_epoch(std::int32_t asked, LeaderEpoch present) {
  if (asked < 0 || asked == present.value) return Errc::none;
  return asked < present.value ? Errc::fenced_leader_epoch : Errc::unknown_leader_epoch;
}

void look_up(const std::shared_ptr<PendingListOffsets>& pending, log::PartitionLog& log,
             std::int64_t timestamp, Out& out) {
  const auto isolation = pending->request.isolation_level == 1 ? log::Isolation::committed
                                                               : log::Isolation::uncommitted;
  const Offset end = log.end_for(isolation);
  const auto note = [pending, &out, end](Result<std::optional<log::TimeMatch>> match) {
    if (!match) {
      out.error_code = wire_code(match.error().code());
    } else if (*match && (*match)->offset < end) {  // what is not decided is not there
      out.offset = (*match)->offset.value;
      out.timestamp = (*match)->timestamp;
      out.leader_epoch = (*match)->epoch.value;
    }
    pending->finish_one();
  };
  ++pending->waiting;
  if (timestamp >= 0) return log.find_by_time(timestamp, first_record_at, note);
  if (timestamp == max_timestamp) return log.find_max_timestamp(first_record_at, note);
  if (timestamp == latest || timestamp == earliest || timestamp == earliest_local) {
    out.offset = timestamp == latest ? end.value : log.log_start().value;
    out.leader_epoch = log.leader_epoch().value;
  }
  pending->finish_one();  // -5, -6: there is no tiered storage, and so no such offset
}

}  // namespace

void handle_list_offsets(Broker& broker, RequestInfo info, kafka::ListOffsetsRequest request,
                         Reply<kafka::ListOffsetsResponse> reply) {
  auto pending =
      std::make_shared<PendingListOffsets>(PendingListOffsets{.info = std::move(info),
                                                              .request = std::move(request),
                                                              .reply = std::move(reply),
                                                              .response = {}});
  auto& response = pending->response;
  for (const auto& topic : pending->request.topics) {
    kafka::ListOffsetsResponse::ListOffsetsTopicResponse out;
    out.name = topic.name;
    out.partitions.resize(topic.partitions.size());
    response.topics.push_back(std::move(out));
  }
  for (std::size_t t = 0; t < response.topics.size(); ++t) {
    const auto& topic = pending->request.topics[t];
    const Topic* found = broker.metadata().find(topic.name);
    std::set<std::int32_t> seen;
    std::set<std::int32_t> twice;
    for (const auto& asked : topic.partitions)
      if (!seen.insert(asked.partition_index).second) twice.insert(asked.partition_index);
    for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
      const auto& asked = topic.partitions[p];
      Out& out = response.topics[t].partitions[p];
      out.partition_index = asked.partition_index;
      if (twice.contains(asked.partition_index)) {
        out.error_code = wire_code(Errc::invalid_request);
        continue;
      }
      if (!is_known(asked.timestamp, pending->info.api_version)) {
        out.error_code = wire_code(Errc::unsupported_version);
        continue;
      }
      if (found == nullptr || asked.partition_index < 0 ||
          asked.partition_index >= found->partitions) {
        out.error_code = wire_code(Errc::unknown_topic_or_partition);
        continue;
      }
      auto& log = *found->logs[static_cast<std::size_t>(asked.partition_index)];
      const Errc epoch = check_epoch(asked.current_leader_epoch, log.leader_epoch());
      out.error_code = wire_code(epoch);
      if (epoch == Errc::none) look_up(pending, log, asked.timestamp, out);
    }
  }
  pending->finish_one();
}

void handle_offset_for_leader_epoch(Broker& broker, RequestInfo,
                                    kafka::OffsetForLeaderEpochRequest request,
                                    Reply<kafka::OffsetForLeaderEpochResponse> reply) {
  kafka::OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    kafka::OffsetForLeaderEpochResponse::OffsetForLeaderTopicResult result;
    result.topic = topic.topic;
    const Topic* found = broker.metadata().find(topic.topic);
    for (const auto& asked : topic.partitions) {
      kafka::OffsetForLeaderEpochResponse::EpochEndOffset out;
      out.partition = asked.partition;
      if (found == nullptr || asked.partition < 0 || asked.partition >= found->partitions) {
        out.error_code = wire_code(Errc::unknown_topic_or_partition);
      } else {
        auto& log = *found->logs[static_cast<std::size_t>(asked.partition)];
        out.error_code = wire_code(check_epoch(asked.current_leader_epoch, log.leader_epoch()));
        if (out.error_code == 0 && asked.leader_epoch >= 0) {
          const auto end =
              log.leader_epochs().end_of(LeaderEpoch(asked.leader_epoch), log.next_offset());
          out.leader_epoch = end.epoch.value;
          out.end_offset = end.end.value;
        }
      }
      result.partitions.push_back(std::move(out));
    }
    response.topics.push_back(std::move(result));
  }
  reply(response);
}

namespace {

struct PendingDeleteRecords {
  RequestInfo info;
  kafka::DeleteRecordsRequest request;
  Reply<kafka::DeleteRecordsResponse> reply;
  kafka::DeleteRecordsResponse response;
  std::size_t waiting = 1;
  void finish_one() {
    if (--waiting == 0) reply(response);
  }
};

using DeletedPartition = kafka::DeleteRecordsResponse::DeleteRecordsPartitionResult;

void delete_in_partition(Broker& broker, const std::shared_ptr<PendingDeleteRecords>& pending,
                         const Topic* topic, std::int64_t before, DeletedPartition& out) {
  out.low_watermark = -1;
  const std::int32_t index = out.partition_index;
  if (topic == nullptr || index < 0 || index >= topic->partitions) {
    out.error_code = wire_code(Errc::unknown_topic_or_partition);
    return;
  }
  // Kafka's rule: what is compacted alone is deleted by tombstones.
  if (!topic->logs[static_cast<std::size_t>(index)]->spec().settings.remove) {
    out.error_code = wire_code(Errc::policy_violation);
    return;
  }
  const log::PartitionLog& log = *topic->logs[static_cast<std::size_t>(index)];
  const Offset to = before == -1 ? log.high_watermark() : Offset(before);
  ++pending->waiting;
  broker.log().delete_records(log.spec().id, to, [pending, &out](Result<Offset> start) {
    if (start) {
      out.low_watermark = start->value;
    } else {
      out.error_code = wire_code(start.error().code());
    }
    pending->finish_one();
  });
}

}  // namespace

void handle_delete_records(Broker& broker, RequestInfo info, kafka::DeleteRecordsRequest request,
                           Reply<kafka::DeleteRecordsResponse> reply) {
  auto pending =
      std::make_shared<PendingDeleteRecords>(PendingDeleteRecords{.info = std::move(info),
                                                                  .request = std::move(request),
                                                                  .reply = std::move(reply),
                                                                  .response = {}});
  auto& response = pending->response;
  for (const auto& topic : pending->request.topics) {
    kafka::DeleteRecordsResponse::DeleteRecordsTopicResult out;
    out.name = topic.name;
    for (const auto& partition : topic.partitions) {
      DeletedPartition row;
      row.partition_index = partition.partition_index;
      out.partitions.push_back(std::move(row));
    }
    response.topics.push_back(std::move(out));
  }
  for (std::size_t t = 0; t < response.topics.size(); ++t) {
    const auto& topic = pending->request.topics[t];
    const Topic* found =
        is_internal_topic(topic.name) ? nullptr : broker.metadata().find(topic.name);
    for (std::size_t p = 0; p < topic.partitions.size(); ++p)
      delete_in_partition(broker, pending, found, topic.partitions[p].offset,
                          response.topics[t].partitions[p]);
  }
  pending->finish_one();
}

}  // namespace weir::broker
