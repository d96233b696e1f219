// Builds the topology of a stream script: streams in stream_script_builder.cc, what is made of
// tables in stream_script_tables.cc.
//
// Threads: one. Throws std::runtime_error where a script holds what it may not, and TopologyError.
#pragma once

#include <weir/streams.h>

#include <cstdint>
#include <map>
#include <string>

#include "stream_script_functions.h"

namespace weir::streams {

class Builder {
 public:
  explicit Builder(const Node& script);
  const Topology& topology() const { return topology_; }

 private:
  using Step = void (Builder::*)(const Node&);
  using TextStream = Stream<Text, Text>;
  using Texts = Table<std::string, std::string>;
  using Counts = Table<std::string, std::int64_t>;
  using WindowTexts = Table<Windowed<std::string>, std::string>;
  using WindowCounts = Table<Windowed<std::string>, std::int64_t>;

  static const std::map<std::string, Step>& steps();
  void add(const Node& node);
  const TextStream& from(const Node& node, std::size_t i = 0) const {
    return streams_.at(node.of(i));
  }
  void give(const Node& node, const TextStream& stream) {
    streams_.emplace(node.number("id"), stream);
  }
  const Texts& table_of(const Node& node, std::size_t i = 0) const {
    return tables_.at(node.of(i));
  }

  void source(const Node& node);
  void table(const Node& node);
  void stateless(const Node& node);
  void split(const Node& node);
  void merge(const Node& node);
  void repartition(const Node& node);
  void process(const Node& node);
  void join(const Node& node);
  void global_join(const Node& node);
  GroupedStream<Text, Text> grouped(const Node& node) const;
  void aggregate(const Node& node);
  void window(const Node& node);
  void window_reduce(const Node& node);
  void session(const Node& node);
  void sliding_window(const Node& node);
  void stream_join(const Node& node);
  void to_stream(const Node& node);
  void to(const Node& node);

  void to_table(const Node& node);
  void one_table(const Node& node);
  void table_join(const Node& node);
  void table_group(const Node& node);
  void foreign_key_join(const Node& node);
  void suppress(const Node& node);
  void write_table(const Node& node);
  /// In a store of its own if the node says so.
  void give_table(const Node& node, const Texts& table);

  Topology topology_{"app"};
  std::map<std::int64_t, TextStream> streams_;
  std::map<std::int64_t, Texts> tables_;
  std::map<std::int64_t, GlobalTable<std::string, std::string>> globals_;
  std::map<std::int64_t, Counts> counts_;
  std::map<std::int64_t, WindowTexts> windows_;
  std::map<std::int64_t, WindowCounts> window_counts_;
};

/// Topics live as long as the process, as the names that they borrow.
Topic<std::string, std::string> script_topic(const std::string& name);

}  // namespace weir::streams
