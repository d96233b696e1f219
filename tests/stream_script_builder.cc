#include "stream_script_builder.h"

#include <vector>

namespace weir::streams {
namespace {

using std::string;

Stream<Text, Text> texts(const Table<string, string>& table) {
  return table.to_stream().map_key([](const string& key, const Text&) { return Text(key); });
}
template <class K>
Stream<K, Text> shown_counts(const Stream<K, std::optional<std::int64_t>>& counts) {
  return counts.map_values(
      [](const std::optional<std::int64_t>& n) { return n ? Text(std::to_string(*n)) : Text(); });
}
Stream<Text, Text> with_shown_windows(const Stream<Windowed<string>, Text>& windows) {
  return windows.map_key([](const Windowed<string>& key, const Text&) {
    return Text(key.key + "@" + std::to_string(key.window.start_ms) + "/" +
                std::to_string(key.window.end_ms));
  });
}

Emit emission(const Node& node) { return node.flag("on_close") ? Emit::on_close : Emit::on_update; }
TimeWindows windows_of(const Node& node) {
  TimeWindows windows = hopping(node.ms("size"), node.ms("advance")).grace(node.ms("grace"));
  return windows.emit(emission(node));
}
}  // namespace

Topic<string, string> script_topic(const string& name) {
  static std::map<string, string, std::less<>> names;
  const auto& kept = names.emplace(name, name).first->second;
  return {kept.c_str(), &string_codec, &string_codec};
}

Builder::Builder(const Node& script) {
  for (const json::Value& name : script.list("stores"))
    topology_.add_store<string, string>(*name.as_string());
  for (const json::Value& node : script.list("nodes")) add(Node(node));
}

const std::map<string, Builder::Step>& Builder::steps() {
  static const std::map<string, Step> all = {
      {"stream", &Builder::source},
      {"table", &Builder::table},
      {"filter", &Builder::stateless},
      {"map_values", &Builder::stateless},
      {"map_key", &Builder::stateless},
      {"map", &Builder::stateless},
      {"flat_map", &Builder::stateless},
      {"flat_map_values", &Builder::stateless},
      {"peek", &Builder::stateless},
      {"split", &Builder::split},
      {"merge", &Builder::merge},
      {"repartition", &Builder::repartition},
      {"process", &Builder::process},
      {"join", &Builder::join},
      {"left_join", &Builder::join},
      {"count", &Builder::aggregate},
      {"reduce", &Builder::aggregate},
      {"aggregate", &Builder::aggregate},
      {"window_count", &Builder::window},
      {"window_reduce", &Builder::window_reduce},
      {"window_aggregate", &Builder::window},
      {"session_count", &Builder::session},
      {"session_aggregate", &Builder::session},
      {"sliding_count", &Builder::sliding_window},
      {"sliding_aggregate", &Builder::sliding_window},
      {"stream_join_inner", &Builder::stream_join},
      {"stream_join_left", &Builder::stream_join},
      {"stream_join_outer", &Builder::stream_join},
      {"to_stream", &Builder::to_stream},
      {"to", &Builder::to},
      {"versioned_table", &Builder::table},
      {"global_table", &Builder::table},
      {"version_join", &Builder::join},
      {"version_left_join", &Builder::join},
      {"global_join", &Builder::global_join},
      {"global_left_join", &Builder::global_join},
      {"to_table", &Builder::to_table},
      {"table_filter", &Builder::one_table},
      {"table_map_values", &Builder::one_table},
      {"table_join_inner", &Builder::table_join},
      {"table_join_left", &Builder::table_join},
      {"table_join_outer", &Builder::table_join},
      {"table_count", &Builder::table_group},
      {"table_reduce", &Builder::table_group},
      {"table_aggregate", &Builder::table_group},
      {"foreign_key_join", &Builder::foreign_key_join},
      {"foreign_key_left_join", &Builder::foreign_key_join},
      {"suppress_close", &Builder::suppress},
      {"suppress_limit", &Builder::suppress},
      {"suppress_records", &Builder::suppress},
      {"write_table", &Builder::write_table},
  };
  return all;
}

void Builder::add(const Node& node) {
  const auto found = steps().find(node.text("op"));
  if (found == steps().end()) throw std::runtime_error("no operator " + node.text("op"));
  (this->*found->second)(node);
}

void Builder::source(const Node& node) {
  give(node, topology_.stream(nullable(script_topic(node.text("topic")))));
}
void Builder::table(const Node& node) {
  const string op = node.text("op");
  const string name = node.text("name");
  const std::int64_t id = node.number("id");
  const auto topic = nullable(script_topic(node.text("topic")));
  if (op == "table") tables_.emplace(id, topology_.table(topic, name));
  if (op == "versioned_table")
    tables_.emplace(id, topology_.versioned_table(topic, name, node.ms("history")));
  if (op == "global_table") globals_.emplace(id, topology_.global_table(topic, name));
}
void Builder::stateless(const Node& node) {
  const string op = node.text("op");
  const string fn = node.has("fn") ? node.text("fn") : "";
  const TextStream& in = from(node);
  if (op == "filter") give(node, in.filter(predicate(fn)));
  if (op == "map_values") give(node, in.map_values(value_function(fn)));
  if (op == "map_key") give(node, in.map_key(key_function(fn)));
  if (op == "map") give(node, in.map(pair_function(fn)));
  if (op == "flat_map") give(node, in.flat_map(pairs_function(fn)));
  if (op == "flat_map_values") give(node, in.flat_map_values(several_function(fn)));
  if (op == "peek") give(node, in.peek([](const Text&) {}));
}
void Builder::split(const Node& node) {
  const auto branches = from(node).split();
  for (const json::Value& value : node.list("branches")) {
    const Node branch(value);
    const string name = node.text("name") + "-" + std::to_string(branch.number("id"));
    give(branch, branches.branch(name, predicate(branch.text("fn"))));
  }
}
void Builder::merge(const Node& node) { give(node, from(node).merge(from(node, 1))); }
void Builder::repartition(const Node& node) {
  give(node, from(node).repartition(node.text("name")));
}
void Builder::process(const Node& node) {
  std::vector<string> stores;
  if (node.has("store")) stores.push_back(node.text("store"));
  give(node,
       from(node).process([node] { return make_processor(node); }, node.text("name"), stores));
}
void Builder::join(const Node& node) {
  const string name = node.text("name");
  const auto grace = std::chrono::milliseconds(node.has("grace") ? node.number("grace") : 0);
  if (node.text("op").ends_with("left_join"))
    give(node, from(node).left_join(
                   table_of(node, 1),
                   [](const string& l, const string* r) { return Text(tail(l + "|" + shown(r))); },
                   name, grace));
  else
    give(node, from(node).join(
                   table_of(node, 1),
                   [](const string& l, const string& r) { return Text(tail(l + "|" + r)); }, name,
                   grace));
}
void Builder::global_join(const Node& node) {
  const string name = node.text("name");
  const auto& table = globals_.at(node.of(1));
  const auto row = [key_of = key_function(node.text("fn"))](const Text& key, const string& v) {
    return key_of(key, v);
  };
  if (node.text("op") == "global_left_join")
    give(node, from(node).left_join(
                   table, row,
                   [](const string& l, const string* r) { return Text(tail(l + "*" + shown(r))); },
                   name));
  else
    give(node, from(node).join(
                   table, row,
                   [](const string& l, const string& r) { return Text(tail(l + "*" + r)); }, name));
}

GroupedStream<Text, Text> Builder::grouped(const Node& node) const {
  const string name = node.text("name") + "-by";
  if (!node.has("by")) return from(node).group_by_key(name);
  return from(node).group_by(key_function(node.text("by")), name);
}
void Builder::aggregate(const Node& node) {
  const string op = node.text("op");
  const string name = node.text("name");
  const std::int64_t id = node.number("id");
  if (op == "count") counts_.emplace(id, grouped(node).count(name));
  if (op == "reduce") tables_.emplace(id, grouped(node).reduce(joined_texts, name));
  if (op == "aggregate")
    tables_.emplace(id,
                    grouped(node).aggregate(string(), aggregate_function(node.text("fn")), name));
}
void Builder::window(const Node& node) {
  const std::int64_t id = node.number("id");
  auto windowed = grouped(node).windowed(windows_of(node));
  if (node.text("op") == "window_count")
    window_counts_.emplace(id, windowed.count(node.text("name")));
  else
    windows_.emplace(id,
                     windowed.aggregate(
                         string(), [](string& all, const Text& v) { all = tail(all + shown(v)); },
                         node.text("name")));
}
void Builder::session(const Node& node) {
  const std::int64_t id = node.number("id");
  SessionWindows how = sessions(node.ms("gap")).grace(node.ms("grace"));
  if (node.has("retention")) how = how.retention(node.ms("retention"));
  auto windowed = grouped(node).windowed(how.emit(emission(node)));
  if (node.text("op") == "session_count")
    window_counts_.emplace(id, windowed.count(node.text("name")));
  else
    windows_.emplace(id,
                     windowed.aggregate(
                         string(), [](string& all, const Text& v) { all = tail(all + shown(v)); },
                         joined_texts, node.text("name")));
}
void Builder::sliding_window(const Node& node) {
  const std::int64_t id = node.number("id");
  SlidingWindows how = sliding(node.ms("difference")).grace(node.ms("grace"));
  auto windowed = grouped(node).windowed(how.emit(emission(node)));
  if (node.text("op") == "sliding_count")
    window_counts_.emplace(id, windowed.count(node.text("name")));
  else
    windows_.emplace(id, windowed.aggregate(
                             string(), [](string& all, const string& v) { all = tail(all + v); },
                             node.text("name")));
}
void Builder::stream_join(const Node& node) {
  const string op = node.text("op");
  const string name = node.text("name");
  const TextStream& left = from(node);
  const TextStream& right = from(node, 1);
  const JoinWindows windows =
      JoinWindows(node.ms("before"), node.ms("after")).grace(node.ms("grace")).like_kafka_streams();
  const auto joined = [](const string* l, const string* r) {
    return Text(tail(shown(l) + "+" + shown(r)));
  };
  if (op == "stream_join_inner")
    give(node, left.join(
                   right, [=](const string& l, const string& r) { return joined(&l, &r); }, windows,
                   name));
  if (op == "stream_join_left")
    give(node, left.left_join(
                   right, [=](const string& l, const string* r) { return joined(&l, r); }, windows,
                   name));
  if (op == "stream_join_outer") give(node, left.outer_join(right, joined, windows, name));
}
/// Of values that are there.
void Builder::window_reduce(const Node& node) {
  const auto present = [](const Text& value) { return *value; };
  const string name = node.text("name");
  auto made = [&](const auto& stream) {
    return stream.windowed(windows_of(node)).reduce(joined_texts, name);
  };
  const auto in = from(node).map_values(present);
  windows_.emplace(node.number("id"),
                   node.has("by")
                       ? made(in.group_by([by = key_function(node.text("by"))](
                                              const Text& k, const string& v) { return by(k, v); },
                                          name + "-by"))
                       : made(in.group_by_key(name + "-by")));
}

void Builder::to_stream(const Node& node) {
  const std::int64_t of = node.of(0);
  if (const auto found = tables_.find(of); found != tables_.end()) give(node, texts(found->second));
  if (const auto found = counts_.find(of); found != counts_.end())
    give(node, shown_counts(found->second.to_stream()).map_key([](const string& key, const Text&) {
      return Text(key);
    }));
  if (const auto found = windows_.find(of); found != windows_.end())
    give(node, with_shown_windows(found->second.to_stream()));
  if (const auto found = window_counts_.find(of); found != window_counts_.end())
    give(node, with_shown_windows(shown_counts(found->second.to_stream())));
}
void Builder::to(const Node& node) { from(node).to(nullable(script_topic(node.text("topic")))); }

}  // namespace weir::streams
