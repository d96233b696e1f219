#include "delay_board.h"

#include <algorithm>

#include "progress.h"
#include "stream_reader.h"

namespace airport {
namespace {

using namespace std::chrono_literals;
using weir::Result;
using Partitions = std::vector<weir::TopicPartition>;

constexpr std::int64_t publish_every = 20'000;  // departures of one partition
constexpr auto flush_timeout = 60s;

const BoardKey marker_of(std::int32_t partition) {
  return {.origin = "*", .carrier = "*", .partition = partition};
}

void keep_newest(std::map<BoardKey, DelayFigures>& figures, const BoardKey& key,
                 const DelayFigures& value) {
  auto [at, fresh] = figures.try_emplace(key, value);
  if (!fresh && value.source_offset > at->second.source_offset) at->second = value;
}

Result<std::map<BoardKey, DelayFigures>> read_figures(weir::Client& client,
                                                      const Streams& streams) {
  std::map<BoardKey, DelayFigures> figures;
  auto read = read_to_end(client, std::string(streams.delay_board.name),
                          [&](const weir::Batch& batch) -> Result<void> {
                            for (const auto& [key, value, record] : batch.as(streams.delay_board)) {
                              if (!key) return weir::fail(key.error());
                              if (!value) return weir::fail(value.error());
                              if (*value) keep_newest(figures, *key, **value);
                            }
                            return {};
                          });
  if (!read) return weir::fail(read.error());
  return figures;
}

}  // namespace

/// Tells the state what comes and goes.
class DelayBoard::Observer final : public weir::RebalanceObserver {
 public:
  explicit Observer(std::shared_ptr<State> state) : state_(std::move(state)) {}

  void on_assigned(weir::Consumer& consumer, const Partitions& partitions) override {
    if (auto r = state_->take_over(consumer, partitions); !r) state_->failed = r.error();
  }
  void on_revoked(weir::Consumer& consumer, const Partitions& partitions) override {
    if (auto r = state_->publish_and_commit(consumer, partitions); !r) state_->failed = r.error();
    on_lost(consumer, partitions);
  }
  void on_lost(weir::Consumer&, const Partitions& partitions) override {
    for (const auto& partition : partitions) state_->partitions.erase(partition.partition);
  }

 private:
  std::shared_ptr<State> state_;
};

Result<DelayBoard> DelayBoard::open(weir::Client& client, const Streams& streams) {
  if (auto r = streams.departures.check_readable(); !r) return weir::fail(r.error());
  if (auto r = streams.planes.check_readable(); !r) return weir::fail(r.error());
  auto producer = client.producer({});
  if (!producer) return weir::fail(producer.error());
  auto state = std::make_shared<State>(client, streams, std::move(*producer));
  if (auto r = state->read_planes(); !r) return weir::fail(r.error());
  auto consumer = client.consumer({.group = "delay-board",
                                   .topics = {std::string(streams.departures.name)},
                                   .auto_offset_reset = weir::OffsetReset::earliest,
                                   .assignors = {weir::cooperative_sticky_assignor()},
                                   .observer = std::make_shared<Observer>(state),
                                   .session_timeout = 6s,  // so long a dead one's partitions wait
                                   .heartbeat_interval = 500ms});
  if (!consumer) return weir::fail(consumer.error());
  return DelayBoard(std::move(state), std::move(*consumer));
}

Result<void> DelayBoard::State::read_planes() {
  auto read = read_to_end(client, std::string(streams.planes.name),
                          [&](const weir::Batch& batch) -> Result<void> {
                            for (const auto& [key, plane, record] : batch.as(streams.planes)) {
                              if (!key || !plane)
                                return weir::fail(key ? plane.error() : key.error());
                              seats[*key] = *plane ? (*plane)->seats : 0;
                            }
                            return {};
                          });
  if (!read) return weir::fail(read.error());
  return {};
}

Result<void> DelayBoard::State::take_over(weir::Consumer& consumer, const Partitions& given) {
  auto figures = read_figures(client, streams);
  if (!figures) return weir::fail(figures.error());
  for (const auto& partition : given) {
    PartitionState& state = partitions[partition.partition];
    state = {};
    for (const auto& [key, value] : *figures) {
      if (key.partition != partition.partition) continue;
      state.figures[key] = value;
      // The marker is published last: below its offset every other key is published too.
      if (key == marker_of(key.partition))
        state.next_offset = state.published = value.source_offset;
    }
    // Further than the committed offset if a kill came between the two.
    if (auto r = consumer.seek(partition, state.next_offset); !r) return r;
  }
  return {};
}

Result<std::size_t> DelayBoard::run(bool once, const volatile std::sig_atomic_t& stop) {
  const std::string topic(state_->streams.departures.name);
  auto described = state_->client.admin().describe_topic(topic);
  if (!described) return weir::fail(described.error());
  Partitions all;
  for (const auto& partition : described->partitions) all.push_back({topic, partition.partition});
  auto ends = consumer_.end_offsets(all, 30s);
  if (!ends) return weir::fail(ends.error());
  std::size_t expected = 0;
  for (const auto& [partition, end] : *ends) expected += static_cast<std::size_t>(end);

  Progress progress("delay-board", expected);
  std::size_t count = 0;
  while (stop == 0) {
    auto batches = consumer_.poll(200ms);
    if (!batches) return weir::fail(batches.error());
    if (state_->failed) return weir::fail(*state_->failed);
    for (const weir::Batch& batch : *batches) {
      count += static_cast<std::size_t>(batch.size());
      progress.at(count);
      if (auto r = consume(batch); !r) return weir::fail(r.error());
    }
    if (!once) continue;
    auto over = finished(*ends);
    if (!over) return weir::fail(over.error());
    if (*over) break;
  }
  if (auto r = consumer_.close(flush_timeout); !r) return weir::fail(r.error());
  if (state_->failed) return weir::fail(*state_->failed);
  return count;
}

/// Our partitions are at their ends, and so are those of the others by what is committed.
Result<bool> DelayBoard::finished(const std::map<weir::TopicPartition, std::int64_t>& ends) {
  const Partitions mine = consumer_.assignment();
  for (const auto& partition : mine)
    if (state_->partitions[partition.partition].next_offset < ends.at(partition)) return false;
  if (auto r = state_->publish_and_commit(consumer_, mine); !r) return weir::fail(r.error());
  Partitions all;
  for (const auto& [partition, end] : ends) all.push_back(partition);
  auto committed = consumer_.committed(all, 30s);
  if (!committed) return weir::fail(committed.error());
  for (const auto& [partition, end] : ends) {
    const auto& offset = committed->at(partition);
    if ((offset ? offset->offset : 0) < end) return false;
  }
  return true;
}

Result<void> DelayBoard::consume(const weir::Batch& batch) {
  PartitionState& state = state_->partitions[batch.partition()];
  for (const auto& [key, departure, record] : batch.as(state_->streams.departures)) {
    if (!departure) return weir::fail(departure.error());
    if (record.offset() >= state.next_offset)
      state_->apply(batch.partition(), record.offset(), *departure);
  }
  state.next_offset = std::max(state.next_offset, batch.next_offset());
  if (state.next_offset - state.published < publish_every) return {};
  return state_->publish_and_commit(consumer_, {batch.topic_partition()});
}

void DelayBoard::State::apply(std::int32_t partition, std::int64_t offset,
                              const Departure& departure) {
  PartitionState& state = partitions[partition];
  for (const BoardKey& key :
       {BoardKey{departure.origin, departure.carrier, partition}, marker_of(partition)}) {
    DelayFigures& figures = state.figures[key];
    // After a restart some keys may stand further ahead than the marker: they know this one.
    if (offset < figures.source_offset) continue;
    state.changed[key] = true;
    figures.source_offset = offset + 1;
    ++figures.flights;
    if (departure.cancelled) {
      ++figures.cancelled;
      continue;
    }
    const auto plane = seats.find(departure.tail_number.value_or(""));
    figures.seats += plane == seats.end() ? 0 : plane->second;
    if (!departure.delay_min) continue;
    ++figures.with_delay;
    const std::int64_t delay = *departure.delay_min;
    figures.delay_minutes += delay;
    figures.largest_delay = std::max(figures.largest_delay.value_or(delay), delay);
  }
}

// The figures of the partition first; the marker, from which the next owner goes on, only when all
// of them are acknowledged.
Result<void> DelayBoard::State::publish(std::int32_t partition) {
  PartitionState& state = partitions[partition];
  const BoardKey marker = marker_of(partition);
  for (const auto& [key, changed] : state.changed) {
    if (key == marker) continue;
    DelayFigures& figures = state.figures[key];
    figures.source_offset = state.next_offset;
    if (auto r = producer.send(streams.delay_board, key, figures); !r) return r;
  }
  if (auto r = producer.flush(flush_timeout); !r) return r;
  DelayFigures& figures = state.figures[marker];
  figures.source_offset = state.next_offset;
  if (auto r = producer.send(streams.delay_board, marker, figures); !r) return r;
  if (auto r = producer.flush(flush_timeout); !r) return r;
  state.changed.clear();
  state.published = state.next_offset;
  return {};
}

Result<void> DelayBoard::State::publish_and_commit(weir::Consumer& consumer,
                                                   const Partitions& given) {
  std::map<weir::TopicPartition, weir::OffsetAndMetadata> offsets;
  for (const auto& partition : given) {
    PartitionState& state = partitions[partition.partition];
    if (state.next_offset == state.published) continue;
    if (auto r = publish(partition.partition); !r) return r;
    offsets[partition] = {.offset = state.published};
  }
  // A rebalance may refuse it; the marker says the same, and the next commit comes.
  static_cast<void>(consumer.commit(offsets));
  return {};
}

Result<Board> read_board(weir::Client& client, const Streams& streams) {
  auto figures = read_figures(client, streams);
  if (!figures) return weir::fail(figures.error());
  Board board;
  for (const auto& [key, value] : *figures) {
    if (key.origin == "*") continue;
    DelayFigures& sum = board[{key.origin, key.carrier}];
    sum.flights += value.flights;
    sum.cancelled += value.cancelled;
    sum.with_delay += value.with_delay;
    sum.delay_minutes += value.delay_minutes;
    sum.seats += value.seats;
    if (value.largest_delay)
      sum.largest_delay =
          std::max(sum.largest_delay.value_or(*value.largest_delay), *value.largest_delay);
  }
  return board;
}

}  // namespace airport
