// What a FakeCluster answers to Fetch, with its sessions, and to OffsetForLeaderEpoch.
#include "client/fake_cluster.h"
#include "client/fake_messages.h"
#include "kafka/messages/offset_for_leader_epoch.h"

namespace weir::client {

struct FakeCluster::FetchJob {
  int node = 0;
  Request request;
  ReplyLater reply;
  std::int8_t isolation = 0;
  std::int32_t max_wait_ms = 0;
  std::int32_t session = 0;
  bool incremental = false;
  std::vector<std::pair<TopicPartition, kafka::FetchRequest::FetchPartition>> wanted;
};

void FakeCluster::truncate(const std::string& topic, int index, std::int64_t offset) {
  FakePartition& p = partition(topic, index);
  std::erase_if(p.batches, [&](const Slice& bytes) {
    return kafka::BatchView::parse(bytes.view())->next_offset() > offset;
  });
  p.next_offset = p.batches.empty()
                      ? p.log_start
                      : kafka::BatchView::parse(p.batches.back().view())->next_offset();
  ++p.leader_epoch;
}

Errc FakeCluster::open_session(const kafka::FetchRequest& asked, std::int16_t version,
                               FetchJob& job) {
  const auto name = [&](const auto& topic) {
    return std::string(version >= 13 ? topic_name(topic.topic_id, {}) : topic.topic);
  };
  for (const auto& topic : asked.topics)
    fetch_partitions_asked += static_cast<int>(topic.partitions.size());
  const bool whole = asked.session_epoch <= 0 || version < 7;
  if (whole) {
    sessions_.erase(asked.session_id);
    for (const auto& topic : asked.topics)
      for (const auto& wanted : topic.partitions)
        job.wanted.emplace_back(TopicPartition{name(topic), wanted.partition}, wanted);
    if (version < 7 || asked.session_epoch < 0 || !fetch_sessions) return Errc::none;
    job.session = ++last_session_;
    FetchSessionState& fresh = sessions_[job.session];
    fresh.epoch = 1;
    fresh.by_id = version >= 13;
    for (const auto& [partition, wanted] : job.wanted) fresh.partitions[partition] = wanted;
    return Errc::none;
  }
  const auto found = sessions_.find(asked.session_id);
  if (found == sessions_.end()) return Errc::fetch_session_id_not_found;
  FetchSessionState& session = found->second;
  if (session.epoch != asked.session_epoch) return Errc::invalid_fetch_session_epoch;
  if (session.by_id != (version >= 13)) return Errc::fetch_session_topic_id_error;
  ++session.epoch;
  for (const auto& topic : asked.topics)
    for (const auto& wanted : topic.partitions)
      session.partitions[{name(topic), wanted.partition}] = wanted;
  for (const auto& topic : asked.forgotten_topics_data)
    for (const std::int32_t index : topic.partitions)
      session.partitions.erase({name(topic), index});
  job.session = asked.session_id;
  job.incremental = true;
  job.wanted.assign(session.partitions.begin(), session.partitions.end());
  return Errc::none;
}

std::optional<std::string> FakeCluster::fetch(int node, const Request& request,
                                              const ReplyLater& reply) {
  const std::int16_t version = request.header.api_version;
  const auto asked = read<kafka::FetchRequest>(request.body, version);
  auto job = std::make_shared<FetchJob>();  // shared with the timer of a fetch that waits
  job->node = node;
  job->request = request;
  job->reply = reply;
  job->isolation = asked.isolation_level;
  job->max_wait_ms = asked.max_wait_ms;
  const Errc code = open_session(asked, version, *job);
  if (code == Errc::none) return answer_fetch(job, false);
  kafka::FetchResponse response;
  response.error_code = static_cast<std::int16_t>(code);
  return written(response, version);
}

void FakeCluster::read_partition(FetchJob& job, FakePartition& partition,
                                 const kafka::FetchRequest::FetchPartition& wanted,
                                 kafka::FetchResponse::PartitionData& out, std::string& bytes) {
  out.high_watermark = out.last_stable_offset = partition.next_offset;
  for (const auto& [producer, first] : partition.open)
    out.last_stable_offset = std::min(out.last_stable_offset, first);
  const std::int64_t end = job.isolation == 1 ? out.last_stable_offset : out.high_watermark;
  if (job.isolation == 1)
    for (const auto& [producer, first, marker] : partition.aborted) {
      if (marker < wanted.fetch_offset) continue;
      auto& transaction = out.aborted_transactions->emplace_back();
      transaction.producer_id = producer;
      transaction.first_offset = first;
    }
  Errc code = Errc::none;
  const bool behind = wanted.last_fetched_epoch >= 0;
  const auto [epoch, epoch_end] = end_of_epoch(partition, wanted.last_fetched_epoch);
  if (partition.leader != job.node) {
    code = Errc::not_leader_or_follower;
  } else if (wanted.current_leader_epoch >= 0 &&
             wanted.current_leader_epoch < partition.leader_epoch) {
    code = Errc::fenced_leader_epoch;
  } else if (behind && epoch >= 0 &&
             (epoch < wanted.last_fetched_epoch || epoch_end < wanted.fetch_offset)) {
    out.diverging_epoch.epoch = epoch;
    out.diverging_epoch.end_offset = epoch_end;
  } else if (wanted.fetch_offset < partition.log_start ||
             wanted.fetch_offset > partition.next_offset) {
    code = Errc::offset_out_of_range;
  } else {
    for (const Slice& batch : partition.batches) {
      const auto view = *kafka::BatchView::parse(batch.view());
      if (view.next_offset() <= wanted.fetch_offset) continue;
      if (view.base_offset() >= end) break;
      if (!bytes.empty() &&
          bytes.size() + batch.size() > static_cast<std::size_t>(wanted.partition_max_bytes))
        break;
      bytes += batch.view();
    }
    if (job.request.fault.kind == Fault::Kind::damage && !bytes.empty())
      bytes.back() = static_cast<char>(bytes.back() ^ 1);
  }
  out.error_code = static_cast<std::int16_t>(code);
}

std::optional<std::string> FakeCluster::answer_fetch(const std::shared_ptr<FetchJob>& job,
                                                     bool last_chance) {
  const std::int16_t version = job->request.header.api_version;
  kafka::FetchResponse response;
  response.session_id = sessions_.contains(job->session) ? job->session : 0;
  std::deque<std::string> kept;
  bool worth = last_chance;
  for (const auto& [name, wanted] : job->wanted) {
    kafka::FetchResponse::PartitionData p;
    p.partition_index = wanted.partition;
    std::string& bytes = kept.emplace_back();
    const auto known = topics_.find(name.topic);
    if (job->request.fault.kind == Fault::Kind::error) {
      p.error_code = static_cast<std::int16_t>(job->request.fault.code);
    } else if (known == topics_.end()) {
      p.error_code = static_cast<std::int16_t>(Errc::unknown_topic_id);
    } else {
      read_partition(*job, known->second.partitions.at(static_cast<std::size_t>(wanted.partition)),
                     wanted, p, bytes);
    }
    const bool news = p.error_code != 0 || !bytes.empty() || p.diverging_epoch.end_offset >= 0;
    worth = worth || news;
    if (response.session_id != 0) {
      auto& told = sessions_[response.session_id].told_watermarks[name];
      if (job->incremental && !news && told == p.high_watermark) continue;
      told = p.high_watermark;
    }
    p.records = kafka::Records(bytes);
    if (response.responses.empty() || response.responses.back().topic != name.topic) {
      auto& topic = response.responses.emplace_back();
      topic.topic = name.topic;
      if (known != topics_.end()) topic.topic_id = known->second.id;
    }
    response.responses.back().partitions.push_back(std::move(p));
  }
  if (worth) return written(response, version);
  process_->loop().call_after(std::chrono::milliseconds(job->max_wait_ms),
                              [this, job] { job->reply(*answer_fetch(job, true)); });
  return std::nullopt;
}

std::pair<std::int32_t, std::int64_t> FakeCluster::end_of_epoch(const FakePartition& partition,
                                                                std::int32_t epoch) {
  std::int32_t found = -1;
  for (const Slice& bytes : partition.batches) {
    const auto view = *kafka::BatchView::parse(bytes.view());
    if (view.leader_epoch() > epoch) return {found, view.base_offset()};
    found = view.leader_epoch();
  }
  return {found, partition.next_offset};
}

std::string FakeCluster::epoch_ends(int node, const Request& request) {
  const auto asked =
      read<kafka::OffsetForLeaderEpochRequest>(request.body, request.header.api_version);
  kafka::OffsetForLeaderEpochResponse response;
  for (const auto& topic : asked.topics) {
    auto& told = response.topics.emplace_back();
    told.topic = topic.topic;
    for (const auto& wanted : topic.partitions) {
      auto& p = told.partitions.emplace_back();
      p.partition = wanted.partition;
      const FakePartition& of = partition(std::string(topic.topic), wanted.partition);
      const auto [epoch, end] = end_of_epoch(of, wanted.leader_epoch);
      p.leader_epoch = epoch;
      p.end_offset = epoch < 0 ? -1 : end;
      if (of.leader != node) p.error_code = static_cast<std::int16_t>(Errc::not_leader_or_follower);
      if (request.fault.kind == Fault::Kind::error)
        p.error_code = static_cast<std::int16_t>(request.fault.code);
    }
  }
  return written(response, request.header.api_version);
}

}  // namespace weir::client
