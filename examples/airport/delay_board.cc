#include "delay_board.h"

#include <algorithm>

#include "progress.h"
#include "stream_reader.h"

namespace airport {
namespace {

using namespace std::chrono_literals;
using weir::Result;

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

Result<std::map<BoardKey, DelayFigures>> read_figures(weir::Client& client) {
  std::map<BoardKey, DelayFigures> figures;
  auto read = read_to_end(client, std::string(delay_board.name),
                          [&](const weir::Batch& batch) -> Result<void> {
                            for (const auto& [key, value, record] : batch.as(delay_board)) {
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

Result<void> DelayBoard::restore() {
  auto planes_read =
      read_to_end(client_, std::string(planes.name), [&](const weir::Batch& batch) -> Result<void> {
        for (const auto& [key, plane, record] : batch.as(planes)) {
          if (!key || !plane) return weir::fail(key ? plane.error() : key.error());
          seats_[*key] = *plane ? (*plane)->seats : 0;
        }
        return {};
      });
  if (!planes_read) return weir::fail(planes_read.error());
  auto figures = read_figures(client_);
  if (!figures) return weir::fail(figures.error());
  for (const auto& [key, value] : *figures) {
    PartitionState& state = partitions_[key.partition];
    state.figures[key] = value;
    // The marker is published last: below its offset every other key is published too.
    if (key == marker_of(key.partition)) state.next_offset = state.published = value.source_offset;
  }
  return {};
}

Result<std::size_t> DelayBoard::run() {
  std::map<weir::TopicPartition, std::int64_t> from;
  for (const auto& [partition, state] : partitions_)
    from[{std::string(departures.name), partition}] = state.next_offset;
  auto described = client_.admin().describe_topic(std::string(departures.name));
  if (!described) return weir::fail(described.error());
  std::vector<weir::TopicPartition> all;
  for (const auto& partition : described->partitions)
    all.push_back({std::string(departures.name), partition.partition});
  auto counter = client_.consumer({});
  if (!counter) return weir::fail(counter.error());
  auto ends = counter->end_offsets(all, 30s);
  if (!ends) return weir::fail(ends.error());
  std::size_t expected = 0;
  for (const auto& [partition, end] : *ends)
    expected += static_cast<std::size_t>(end - from[partition]);

  Progress progress("delay-board", expected);
  std::size_t count = 0;
  auto read = read_to_end(
      client_, std::string(departures.name),
      [&](const weir::Batch& batch) -> Result<void> {
        count += static_cast<std::size_t>(batch.size());
        progress.at(count);
        return consume(batch);
      },
      from);
  if (!read) return weir::fail(read.error());
  if (auto r = publish_all(); !r) return weir::fail(r.error());
  return count;
}

Result<void> DelayBoard::consume(const weir::Batch& batch) {
  PartitionState& state = partitions_[batch.partition()];
  for (const auto& [key, departure, record] : batch.as(departures)) {
    if (!departure) return weir::fail(departure.error());
    if (record.offset() >= state.next_offset) apply(batch.partition(), record.offset(), *departure);
  }
  state.next_offset = std::max(state.next_offset, batch.next_offset());
  if (state.next_offset - state.published < publish_every) return {};
  return publish(batch.partition());
}

void DelayBoard::apply(std::int32_t partition, std::int64_t offset, const Departure& departure) {
  PartitionState& state = partitions_[partition];
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
    const auto plane = seats_.find(departure.tail_number);
    figures.seats += plane == seats_.end() ? 0 : plane->second;
    if (!departure.delay_min) continue;
    ++figures.with_delay;
    figures.delay_minutes += *departure.delay_min;
    figures.largest_delay =
        std::max(figures.largest_delay.value_or(*departure.delay_min), *departure.delay_min);
  }
}

// The figures of the partition first; the marker, from which a restart goes on, only when all of
// them are acknowledged.
Result<void> DelayBoard::publish(std::int32_t partition) {
  PartitionState& state = partitions_[partition];
  auto producer = client_.producer({});
  if (!producer) return weir::fail(producer.error());
  const BoardKey marker = marker_of(partition);
  for (const auto& [key, changed] : state.changed) {
    if (key == marker) continue;
    DelayFigures& figures = state.figures[key];
    figures.source_offset = state.next_offset;
    if (auto r = producer->send(delay_board, key, figures); !r) return r;
  }
  if (auto r = producer->flush(flush_timeout); !r) return r;
  DelayFigures& figures = state.figures[marker];
  figures.source_offset = state.next_offset;
  if (auto r = producer->send(delay_board, marker, figures); !r) return r;
  if (auto r = producer->flush(flush_timeout); !r) return r;
  state.changed.clear();
  state.published = state.next_offset;
  return {};
}

Result<void> DelayBoard::publish_all() {
  for (const auto& [partition, state] : partitions_)
    if (state.next_offset > state.published)
      if (auto r = publish(partition); !r) return r;
  return {};
}

Result<Board> read_board(weir::Client& client) {
  auto figures = read_figures(client);
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
