#include "client/fake_cluster.h"

#include "base/check.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/metadata.h"

namespace weir::client {
namespace {

template <class Message>
Message read(std::string_view body, std::int16_t version) {
  auto message = kafka::decode_all<Message>(body, version);
  check(message.has_value(), "fake cluster: a request that cannot be read");
  return std::move(*message);
}

template <class Message>
std::string written(const Message& message, std::int16_t version) {
  std::string out;
  check(kafka::encode_all(message, version, out).has_value(), "fake cluster: an answer");
  return out;
}

}  // namespace

/// One connection; answers leave in the order of the requests.
class FakeCluster::Peer final : public io::FrameHandler {
 public:
  Peer(FakeCluster& cluster, int node, std::uint64_t id, std::unique_ptr<io::FrameChannel> channel)
      : cluster_(cluster), node_(node), id_(id), channel_(std::move(channel)) {
    channel_->set_handler(this);
  }
  ~Peer() override { *alive_ = false; }

  bool reserve(std::size_t) override { return true; }
  void on_drained() override {}
  void on_closed(const Error&) override { gone(); }
  void on_frame(Slice frame) override {
    Request request;
    request.frame = std::move(frame);
    kafka::Decoder decoder(request.frame.view());
    auto header = kafka::decode_request_header(decoder);
    check(header.has_value(), "fake cluster: a header that cannot be read");
    request.header = *header;
    request.body = decoder.rest();
    waiting_.push_back(std::move(request));
    cluster_.most_waiting = std::max(cluster_.most_waiting, waiting_.size());
    if (waiting_.size() == 1) begin();
  }

  /// The front request is answered.
  void reply(const std::string& body) {
    const Request request = std::move(waiting_.front());
    waiting_.pop_front();
    const auto kind = request.fault.kind;
    if (kind == Fault::Kind::lose_reply) return gone();
    if (kind != Fault::Kind::silence && !body.empty()) {
      const bool plain = downgraded || kafka::response_header_version(
                                           request.key(), request.header.api_version) == 0;
      downgraded = false;
      std::string head;
      append_be(head, request.header.correlation_id);
      if (!plain) head.push_back('\0');
      std::vector<io::OutPiece> pieces;
      pieces.emplace_back(Slice::copy_of(head + body));
      channel_->send(std::move(pieces));
    }
    if (!waiting_.empty()) begin();
  }

  std::shared_ptr<bool> alive() const { return alive_; }
  bool downgraded = false;

 private:
  void begin() {
    Request& request = waiting_.front();
    ++cluster_.counts_[request.key()];
    if (cluster_.on_request) request.fault = cluster_.on_request(request.key(), node_);
    if (request.fault.kind == Fault::Kind::lose_request) return gone();
    cluster_.process_->loop().call_after(request.fault.delay, [this, alive = alive_] {
      if (!*alive) return;
      if (auto body = cluster_.answer(node_, waiting_.front(), *this)) reply(*body);
    });
  }

  void gone() {
    channel_->close();
    *alive_ = false;
    cluster_.process_->loop().post([&cluster = cluster_, id = id_] { cluster.peers_.erase(id); });
  }

  FakeCluster& cluster_;
  int node_;
  std::uint64_t id_;
  std::unique_ptr<io::FrameChannel> channel_;
  std::deque<Request> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

FakeCluster::FakeCluster(io::SimWorld& world, int nodes)
    : world_(world), process_(world.start_process()) {
  for (int node = 0; node < nodes; ++node) {
    auto listener = process_->network().listen(
        {"127.0.0.1", 0}, [this, node](auto stream) { accept(node, std::move(stream)); });
    check(listener.has_value(), "fake cluster: no listener");
    listeners_.push_back(std::move(*listener));
  }
}

FakeCluster::~FakeCluster() = default;

io::Endpoint FakeCluster::address(int node) const {
  return listeners_[static_cast<std::size_t>(node)]->local();
}

void FakeCluster::accept(int node, std::unique_ptr<io::Stream> stream) {
  ++connections_;
  const std::uint64_t id = ++last_peer_;
  peers_[id] = std::make_unique<Peer>(
      *this, node, id,
      io::make_stream_channel(process_->loop(), std::move(stream), limits::frame_bytes));
}

void FakeCluster::add_topic(const std::string& name, int partitions) {
  Topic& topic = topics_[name];
  topic.id = world_.rng().uuid();
  topic.partitions.resize(static_cast<std::size_t>(partitions));
  for (int i = 0; i < partitions; ++i)
    topic.partitions[static_cast<std::size_t>(i)].leader = i % static_cast<int>(listeners_.size());
}

FakePartition& FakeCluster::partition(const std::string& topic, int index) {
  return topics_.at(topic).partitions.at(static_cast<std::size_t>(index));
}

void FakeCluster::move_leader(const std::string& topic, int index, int node) {
  FakePartition& p = partition(topic, index);
  p.leader = node;
  ++p.leader_epoch;
}

void FakeCluster::append(const std::string& topic, int index, Slice batch) {
  FakePartition& p = partition(topic, index);
  Slice copy = Slice::copy_of(batch.view());
  kafka::set_base_offset(copy.mutable_data(), p.next_offset);
  p.next_offset = kafka::BatchView::parse(copy.view())->next_offset();
  p.batches.push_back(std::move(copy));
}

std::vector<std::string> FakeCluster::values(const std::string& topic, int index) const {
  std::vector<std::string> out;
  for (const Slice& bytes :
       topics_.at(topic).partitions.at(static_cast<std::size_t>(index)).batches) {
    auto reader = kafka::RecordReader::open(*kafka::BatchView::parse(bytes.view()));
    kafka::RecordView record;
    while (reader->next(record)) out.emplace_back(record.value.value_or("<null>"));
  }
  return out;
}

int FakeCluster::count(kafka::ApiKey key) const {
  const auto found = counts_.find(key);
  return found == counts_.end() ? 0 : found->second;
}

FakeCluster::Topic* FakeCluster::find(TopicId id, std::string_view name) {
  for (auto& [known, topic] : topics_)
    if (known == name || (!id.is_zero() && topic.id == id)) return &topic;
  return nullptr;
}

std::optional<std::string> FakeCluster::answer(int node, const Request& request, Peer& peer) {
  switch (request.key()) {
    case kafka::ApiKey::api_versions: return versions(request, peer);
    case kafka::ApiKey::metadata: return metadata(request);
    case kafka::ApiKey::produce: {
      bool replies = true;
      std::string body = produce(node, request, replies);
      return replies ? body : std::string();
    }
    case kafka::ApiKey::fetch: return fetch(node, request, peer, false);
    case kafka::ApiKey::list_offsets: return list_offsets(node, request);
    case kafka::ApiKey::init_producer_id: return init_producer_id(request);
    case kafka::ApiKey::create_topics: return create_topics(request);
    case kafka::ApiKey::find_coordinator: return find_coordinator(request);
    case kafka::ApiKey::join_group:
    case kafka::ApiKey::sync_group:
    case kafka::ApiKey::heartbeat:
    case kafka::ApiKey::leave_group:
    case kafka::ApiKey::offset_commit:
    case kafka::ApiKey::offset_fetch: return group_request(node, request, peer);
    default: check(false, "fake cluster: an API that it does not know"); return {};
  }
}

std::string FakeCluster::versions(const Request& request, Peer& peer) {
  kafka::ApiVersionsResponse response;
  for (const kafka::ApiInfo& api : kafka::all_apis()) {
    auto& range = response.api_keys.emplace_back();
    range.api_key = static_cast<std::int16_t>(api.key);
    range.min_version = api.min_version;
    range.max_version = newest.contains(api.key) ? newest[api.key] : api.stable_max;
  }
  std::int16_t version = request.header.api_version;
  if (newest.contains(kafka::ApiKey::api_versions) &&
      version > newest[kafka::ApiKey::api_versions]) {
    response.error_code = static_cast<std::int16_t>(Errc::unsupported_version);
    version = 0;
    peer.downgraded = true;
  }
  return written(response, version);
}

std::string FakeCluster::metadata(const Request& request) {
  const auto asked = read<kafka::MetadataRequest>(request.body, request.header.api_version);
  kafka::MetadataResponse response;
  response.cluster_id = "fake";
  response.controller_id = 0;
  for (std::size_t node = 0; node < listeners_.size(); ++node) {
    auto& broker = response.brokers.emplace_back();
    broker.node_id = static_cast<std::int32_t>(node);
    broker.host = "127.0.0.1";
    broker.port = listeners_[node]->local().port;
  }
  std::vector<std::string_view> names;
  if (asked.topics) {
    for (const auto& wanted : *asked.topics) names.push_back(*wanted.name);
  } else {
    for (const auto& [name, topic] : topics_) names.push_back(name);
  }
  for (const std::string_view name : names) {
    auto& told = response.topics.emplace_back();
    told.name = name;
    const Topic* topic = find({}, name);
    if (topic == nullptr) {
      told.error_code = static_cast<std::int16_t>(Errc::unknown_topic_or_partition);
      continue;
    }
    told.topic_id = topic->id;
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      auto& p = told.partitions.emplace_back();
      p.partition_index = static_cast<std::int32_t>(i);
      p.leader_id = topic->partitions[i].leader;
      p.leader_epoch = topic->partitions[i].leader_epoch;
    }
  }
  if (request.fault.kind == Fault::Kind::error)
    response.error_code = static_cast<std::int16_t>(request.fault.code);
  return written(response, request.header.api_version);
}

std::string FakeCluster::init_producer_id(const Request& request) {
  kafka::InitProducerIdResponse response;
  if (request.fault.kind == Fault::Kind::error) {
    response.error_code = static_cast<std::int16_t>(request.fault.code);
  } else {
    response.producer_id = next_producer_id_++;
    response.producer_epoch = 0;
  }
  return written(response, request.header.api_version);
}

std::string FakeCluster::create_topics(const Request& request) {
  const auto asked = read<kafka::CreateTopicsRequest>(request.body, request.header.api_version);
  kafka::CreateTopicsResponse response;
  for (const auto& topic : asked.topics) {
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    if (request.fault.kind == Fault::Kind::error) {
      told.error_code = static_cast<std::int16_t>(request.fault.code);
    } else if (find({}, topic.name) != nullptr) {
      told.error_code = static_cast<std::int16_t>(Errc::topic_already_exists);
    } else {
      add_topic(std::string(topic.name), topic.num_partitions);
    }
  }
  return written(response, request.header.api_version);
}

std::string FakeCluster::produce(int node, const Request& request, bool& replies) {
  const auto asked = read<kafka::ProduceRequest>(request.body, request.header.api_version);
  replies = asked.acks != 0;
  kafka::ProduceResponse response;
  for (const auto& topic : asked.topic_data) {
    auto& told = response.responses.emplace_back();
    told.topic_id = topic.topic_id;
    told.name = topic.name;
    Topic* known = find(topic.topic_id, topic.name);
    for (const auto& data : topic.partition_data) {
      auto& p = told.partition_responses.emplace_back();
      p.index = data.index;
      Errc code = Errc::none;
      if (request.fault.kind == Fault::Kind::error) {
        code = request.fault.code;
      } else if (known == nullptr) {
        code = Errc::unknown_topic_or_partition;
      } else if (auto& partition = known->partitions.at(static_cast<std::size_t>(data.index));
                 partition.leader != node) {
        code = Errc::not_leader_or_follower;
      } else {
        code = produce_one(partition, data.records.bytes(), p.base_offset);
      }
      p.error_code = static_cast<std::int16_t>(code);
    }
  }
  return written(response, request.header.api_version);
}

Errc FakeCluster::produce_one(FakePartition& partition, std::string_view bytes,
                              std::int64_t& offset) {
  auto batch = kafka::BatchView::parse(bytes);
  check(batch && batch->crc_is_right() && batch->size() == bytes.size(),
        "fake cluster: a bad batch");
  if (batch->has_producer()) {
    auto& producer = partition.producers[batch->producer_id()];
    const std::int64_t first = batch->base_sequence();
    const std::int64_t last = batch->last_sequence();
    if (batch->producer_epoch() < producer.epoch) return Errc::invalid_producer_epoch;
    if (batch->producer_epoch() > producer.epoch) {
      if (first != 0 && producer.epoch >= 0) return Errc::out_of_order_sequence_number;
      producer.epoch = batch->producer_epoch();
      producer.last.clear();
    }
    for (const auto& known : producer.last)
      if (known[0] == first && known[1] == last) {
        offset = known[2];
        return Errc::none;
      }
    if (!producer.last.empty() && first != producer.last.back()[1] + 1)
      return Errc::out_of_order_sequence_number;
    if (producer.last.empty() && first != 0) return Errc::out_of_order_sequence_number;
    producer.last.push_back({first, last, partition.next_offset});
    if (producer.last.size() > 5) producer.last.pop_front();
  }
  offset = partition.next_offset;
  Slice copy = Slice::copy_of(bytes);
  kafka::set_base_offset(copy.mutable_data(), offset);
  partition.next_offset += batch->record_count();
  partition.batches.push_back(std::move(copy));
  return Errc::none;
}

std::optional<std::string> FakeCluster::fetch(int node, const Request& request, Peer& peer,
                                              bool last_chance) {
  const auto asked = read<kafka::FetchRequest>(request.body, request.header.api_version);
  kafka::FetchResponse response;
  std::deque<std::string> kept;
  bool worth = last_chance;
  for (const auto& topic : asked.topics) {
    auto& told = response.responses.emplace_back();
    told.topic_id = topic.topic_id;
    told.topic = topic.topic;
    Topic* known = find(topic.topic_id, topic.topic);
    for (const auto& wanted : topic.partitions) {
      auto& p = told.partitions.emplace_back();
      p.partition_index = wanted.partition;
      std::string& bytes = kept.emplace_back();
      Errc code = Errc::none;
      if (request.fault.kind == Fault::Kind::error) {
        code = request.fault.code;
      } else if (known == nullptr) {
        code = Errc::unknown_topic_id;
      } else {
        auto& partition = known->partitions.at(static_cast<std::size_t>(wanted.partition));
        p.high_watermark = p.last_stable_offset = partition.next_offset;
        if (asked.isolation_level == 1)
          for (const auto& [producer, first, marker] : partition.aborted) {
            if (marker < wanted.fetch_offset) continue;
            auto& transaction = p.aborted_transactions->emplace_back();
            transaction.producer_id = producer;
            transaction.first_offset = first;
          }
        if (partition.leader != node) {
          code = Errc::not_leader_or_follower;
        } else if (wanted.fetch_offset < partition.log_start ||
                   wanted.fetch_offset > partition.next_offset) {
          code = Errc::offset_out_of_range;
        } else {
          for (const Slice& batch : partition.batches) {
            if (kafka::BatchView::parse(batch.view())->next_offset() <= wanted.fetch_offset)
              continue;
            if (!bytes.empty() &&
                bytes.size() + batch.size() > static_cast<std::size_t>(wanted.partition_max_bytes))
              break;
            bytes += batch.view();
          }
          if (request.fault.kind == Fault::Kind::damage && !bytes.empty())
            bytes.back() = static_cast<char>(bytes.back() ^ 1);
        }
      }
      p.error_code = static_cast<std::int16_t>(code);
      p.records = kafka::Records(bytes);
      worth = worth || code != Errc::none || !bytes.empty();
    }
  }
  if (worth) return written(response, request.header.api_version);
  process_->loop().call_after(std::chrono::milliseconds(asked.max_wait_ms),
                              [this, node, &peer, alive = peer.alive(), again = request] {
                                if (*alive) peer.reply(*fetch(node, again, peer, true));
                              });
  return std::nullopt;
}

std::string FakeCluster::list_offsets(int node, const Request& request) {
  const auto asked = read<kafka::ListOffsetsRequest>(request.body, request.header.api_version);
  kafka::ListOffsetsResponse response;
  for (const auto& topic : asked.topics) {
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    Topic* known = find({}, topic.name);
    for (const auto& wanted : topic.partitions) {
      auto& p = told.partitions.emplace_back();
      p.partition_index = wanted.partition_index;
      if (request.fault.kind == Fault::Kind::error) {
        p.error_code = static_cast<std::int16_t>(request.fault.code);
        continue;
      }
      const auto& partition =
          known->partitions.at(static_cast<std::size_t>(wanted.partition_index));
      if (partition.leader != node) {
        p.error_code = static_cast<std::int16_t>(Errc::not_leader_or_follower);
      } else if (wanted.timestamp == -1) {
        p.offset = partition.next_offset;
      } else if (wanted.timestamp == -2) {
        p.offset = partition.log_start;
      } else {
        for (const Slice& bytes : partition.batches) {
          auto reader = kafka::RecordReader::open(*kafka::BatchView::parse(bytes.view()));
          kafka::RecordView record;
          while (p.offset < 0 && reader->next(record)) {
            if (record.timestamp < wanted.timestamp) continue;
            p.offset = record.offset;
            p.timestamp = record.timestamp;
          }
        }
      }
    }
  }
  return written(response, request.header.api_version);
}

FakeGroup& FakeCluster::group(const std::string& name) {
  auto& group = groups_[name];
  if (group == nullptr) group = std::make_unique<FakeGroup>(process_->loop());
  return *group;
}

std::string FakeCluster::find_coordinator(const Request& request) {
  const auto asked = read<kafka::FindCoordinatorRequest>(request.body, request.header.api_version);
  kafka::FindCoordinatorResponse response;
  auto& told = response.coordinators.emplace_back();
  told.key = asked.coordinator_keys.empty() ? asked.key : asked.coordinator_keys.front();
  if (request.fault.kind == Fault::Kind::error) {
    told.error_code = response.error_code = static_cast<std::int16_t>(request.fault.code);
  } else {
    told.node_id = response.node_id = coordinator;
    told.host = response.host = "127.0.0.1";
    told.port = response.port = address(coordinator).port;
  }
  return written(response, request.header.api_version);
}

std::optional<std::string> FakeCluster::group_request(int node, const Request& request,
                                                      Peer& peer) {
  Errc refused = node == coordinator ? Errc::none : Errc::not_coordinator;
  if (request.fault.kind == Fault::Kind::error) refused = request.fault.code;
  const std::int16_t version = request.header.api_version;
  const auto later = [&peer, alive = peer.alive(), version](const auto& response) {
    if (*alive) peer.reply(written(response, version));
  };
  switch (request.key()) {
    case kafka::ApiKey::join_group: {
      const auto asked = read<kafka::JoinGroupRequest>(request.body, version);
      if (refused == Errc::none) {
        group(std::string(asked.group_id)).join(asked, version, later);
        return std::nullopt;
      }
      kafka::JoinGroupResponse response;
      response.error_code = static_cast<std::int16_t>(refused);
      return written(response, version);
    }
    case kafka::ApiKey::sync_group: {
      const auto asked = read<kafka::SyncGroupRequest>(request.body, version);
      if (refused == Errc::none) {
        group(std::string(asked.group_id)).sync(asked, later);
        return std::nullopt;
      }
      kafka::SyncGroupResponse response;
      response.error_code = static_cast<std::int16_t>(refused);
      return written(response, version);
    }
    case kafka::ApiKey::heartbeat: {
      const auto asked = read<kafka::HeartbeatRequest>(request.body, version);
      kafka::HeartbeatResponse response;
      response.error_code = static_cast<std::int16_t>(
          refused != Errc::none ? refused : group(std::string(asked.group_id)).heartbeat(asked));
      return written(response, version);
    }
    case kafka::ApiKey::leave_group: {
      const auto asked = read<kafka::LeaveGroupRequest>(request.body, version);
      FakeGroup& of = group(std::string(asked.group_id));
      for (const auto& member : asked.members) {
        if (member.reason) of.reasons.emplace_back(*member.reason);
        of.leave(std::string(member.member_id), {});
      }
      if (asked.members.empty()) of.leave(std::string(asked.member_id), {});
      return written(kafka::LeaveGroupResponse{}, version);
    }
    case kafka::ApiKey::offset_commit: return offset_commit(refused, request);
    default: return offset_fetch(refused, request);
  }
}

std::string FakeCluster::offset_commit(Errc refused, const Request& request) {
  const auto asked = read<kafka::OffsetCommitRequest>(request.body, request.header.api_version);
  if (refused == Errc::none) refused = group(std::string(asked.group_id)).commit(asked);
  kafka::OffsetCommitResponse response;
  for (const auto& topic : asked.topics) {
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& p = told.partitions.emplace_back();
      p.partition_index = partition.partition_index;
      p.error_code = static_cast<std::int16_t>(refused);
    }
  }
  return written(response, request.header.api_version);
}

std::string FakeCluster::offset_fetch(Errc refused, const Request& request) {
  const std::int16_t version = request.header.api_version;
  const auto asked = read<kafka::OffsetFetchRequest>(request.body, version);
  const bool by_group = version >= 8;
  FakeGroup& of = group(std::string(by_group ? asked.groups.front().group_id : asked.group_id));
  kafka::OffsetFetchResponse response;
  response.error_code = static_cast<std::int16_t>(refused);
  auto& of_group = response.groups.emplace_back();
  of_group.error_code = response.error_code;
  const auto add = [&](auto& topics, std::string_view name, std::int32_t index) {
    if (topics.empty() || topics.back().name != name) topics.emplace_back().name = name;
    auto& told = topics.back().partitions.emplace_back();
    const TopicPartition key{std::string(name), index};
    const auto found = of.offsets.find(key);
    told.partition_index = index;
    told.committed_offset = found == of.offsets.end() ? -1 : found->second;
    told.committed_leader_epoch = found == of.offsets.end() ? -1 : of.epochs[key];
  };
  if (by_group && asked.groups.front().topics) {
    for (const auto& topic : *asked.groups.front().topics)
      for (const std::int32_t index : topic.partition_indexes)
        add(of_group.topics, topic.name, index);
  } else if (!by_group && asked.topics) {
    for (const auto& topic : *asked.topics)
      for (const std::int32_t index : topic.partition_indexes)
        add(response.topics, topic.name, index);
  }
  return written(response, version);
}

}  // namespace weir::client
