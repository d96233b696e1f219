#include "client/fake_cluster.h"

#include <algorithm>

#include "base/check.h"
#include "client/fake_messages.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/metadata.h"

namespace weir::client {
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
  transactions_ = std::make_unique<FakeTransactions>(
      process_->loop(),
      [this](const auto& partition, const auto& transaction) {
        write_marker(partition, transaction);
      },
      [this](const std::string& name, const auto& transaction) {
        if (!transaction.committed) return;
        for (const auto& [partition, offset] : transaction.offsets.at(name))
          group(name).offsets[partition] = offset;
      });
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
  kafka::set_leader_epoch(copy.mutable_data(), p.leader_epoch);
  p.next_offset = kafka::BatchView::parse(copy.view())->next_offset();
  p.batches.push_back(std::move(copy));
}

std::vector<std::string> FakeCluster::values(const std::string& topic, int index) const {
  std::vector<std::string> out;
  for (const Slice& bytes :
       topics_.at(topic).partitions.at(static_cast<std::size_t>(index)).batches) {
    const auto batch = *kafka::BatchView::parse(bytes.view());
    if (batch.is_control()) continue;
    auto reader = kafka::RecordReader::open(batch);
    kafka::RecordView record;
    while (reader->next(record)) out.emplace_back(record.value.value_or("<null>"));
  }
  return out;
}

std::vector<std::string> FakeCluster::committed_values(const std::string& topic, int index) const {
  const FakePartition& p = topics_.at(topic).partitions.at(static_cast<std::size_t>(index));
  std::vector<std::string> out;
  for (const Slice& bytes : p.batches) {
    const auto batch = *kafka::BatchView::parse(bytes.view());
    if (batch.is_control()) continue;
    const auto open = p.open.find(batch.producer_id());
    const bool lost = batch.is_transactional() &&
                      ((open != p.open.end() && open->second <= batch.base_offset()) ||
                       std::any_of(p.aborted.begin(), p.aborted.end(), [&](const auto& aborted) {
                         return aborted[0] == batch.producer_id() &&
                                aborted[1] <= batch.base_offset() &&
                                batch.base_offset() < aborted[2];
                       }));
    if (lost) continue;
    auto reader = kafka::RecordReader::open(batch);
    kafka::RecordView record;
    while (reader->next(record)) out.emplace_back(record.value.value_or("<null>"));
  }
  return out;
}

int FakeCluster::count(kafka::ApiKey key) const {
  const auto found = counts_.find(key);
  return found == counts_.end() ? 0 : found->second;
}

std::string_view FakeCluster::topic_name(TopicId id, std::string_view name) const {
  for (const auto& [known, topic] : topics_)
    if (!id.is_zero() && topic.id == id) return known;
  return name;
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
    case kafka::ApiKey::fetch:
      return fetch(node, request, [&peer, alive = peer.alive()](const std::string& body) {
        if (*alive) peer.reply(body);
      });
    case kafka::ApiKey::list_offsets: return list_offsets(node, request);
    case kafka::ApiKey::offset_for_leader_epoch: return epoch_ends(node, request);
    case kafka::ApiKey::init_producer_id: return init_producer_id(node, request);
    case kafka::ApiKey::create_topics: return create_topics(request);
    case kafka::ApiKey::find_coordinator: return find_coordinator(request);
    case kafka::ApiKey::join_group:
    case kafka::ApiKey::sync_group:
    case kafka::ApiKey::heartbeat:
    case kafka::ApiKey::leave_group:
    case kafka::ApiKey::offset_commit:
    case kafka::ApiKey::offset_fetch:
      return group_request(node, request, [&peer, alive = peer.alive()](const std::string& body) {
        if (*alive) peer.reply(body);
      });
    case kafka::ApiKey::add_partitions_to_txn:
    case kafka::ApiKey::add_offsets_to_txn:
    case kafka::ApiKey::txn_offset_commit:
    case kafka::ApiKey::end_txn: return transaction_request(node, request);
    case kafka::ApiKey::list_transactions:
    case kafka::ApiKey::describe_transactions:
    case kafka::ApiKey::describe_producers:
    case kafka::ApiKey::write_txn_markers: return transaction_admin_request(node, request);
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
  if (transaction_version > 0) {
    response.finalized_features_epoch = 1;
    auto& feature = response.finalized_features.emplace_back();
    feature.name = "transaction.version";
    feature.max_version_level = feature.min_version_level = transaction_version;
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

std::string FakeCluster::init_producer_id(int node, const Request& request) {
  const auto asked = read<kafka::InitProducerIdRequest>(request.body, request.header.api_version);
  kafka::InitProducerIdResponse response;
  if (request.fault.kind == Fault::Kind::error) {
    response.error_code = static_cast<std::int16_t>(request.fault.code);
  } else if (asked.transactional_id) {
    const Errc code = node != coordinator
                          ? Errc::not_coordinator
                          : transactions_->init(asked, response, next_producer_id_++);
    response.error_code = static_cast<std::int16_t>(code);
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
        code =
            produce_one({std::string(topic_name(topic.topic_id, topic.name)), data.index},
                        partition, data.records.bytes(), request.header.api_version, p.base_offset);
      }
      p.error_code = static_cast<std::int16_t>(code);
    }
  }
  return written(response, request.header.api_version);
}

Errc FakeCluster::check_sequence(FakePartition& partition, const kafka::BatchView& batch,
                                 std::int64_t& offset, bool& known) {
  auto& producer = partition.producers[batch.producer_id()];
  const std::int64_t first = batch.base_sequence();
  const std::int64_t last = batch.last_sequence();
  // As brokers do: whoever is not known begins with any sequence.
  const bool unknown = producer.epoch < 0;
  if (batch.producer_epoch() < producer.epoch) return Errc::invalid_producer_epoch;
  if (batch.producer_epoch() > producer.epoch) {
    if (first != 0 && producer.epoch >= 0) return Errc::out_of_order_sequence_number;
    producer.epoch = batch.producer_epoch();
    producer.last.clear();
  }
  for (const auto& earlier : producer.last) {
    if (earlier[0] != first || earlier[1] != last) continue;
    offset = earlier[2];
    known = true;
    return Errc::none;
  }
  if (!producer.last.empty() && first != producer.last.back()[1] + 1)
    return Errc::out_of_order_sequence_number;
  if (producer.last.empty() && first != 0 && !unknown) return Errc::out_of_order_sequence_number;
  producer.last.push_back({first, last, partition.next_offset});
  if (producer.last.size() > 5) producer.last.pop_front();
  return Errc::none;
}

Errc FakeCluster::produce_one(const TopicPartition& name, FakePartition& partition,
                              std::string_view bytes, std::int16_t version, std::int64_t& offset) {
  auto batch = kafka::BatchView::parse(bytes);
  check(batch && batch->crc_is_right() && batch->size() == bytes.size(),
        "fake cluster: a bad batch");
  if (bytes.size() > max_batch_bytes) return Errc::message_too_large;
  if (batch->is_transactional()) {
    const Errc code = transactions_->check_produce(batch->producer_id(), batch->producer_epoch(),
                                                   name, transaction_version >= 2 && version >= 12);
    if (code != Errc::none) return code;
  }
  if (batch->has_producer()) {
    bool known = false;
    const Errc code = check_sequence(partition, *batch, offset, known);
    if (code != Errc::none || known) return code;
  }
  offset = partition.next_offset;
  if (batch->is_transactional()) partition.open.try_emplace(batch->producer_id(), offset);
  Slice copy = Slice::copy_of(bytes);
  kafka::set_base_offset(copy.mutable_data(), offset);
  kafka::set_leader_epoch(copy.mutable_data(), partition.leader_epoch);
  partition.next_offset += batch->record_count();
  partition.batches.push_back(std::move(copy));
  return Errc::none;
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

}  // namespace weir::client
