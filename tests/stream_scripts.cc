// Scripts of tests/lib/stream_scripts.py, a line each, in weir's test driver; what came out, a line
// each. tests/java/StreamScripts.java does the same with Kafka Streams.
//
// Of a script it obeys two members more: "partitions" of the driver, and "crashes": the driver
// loses its tasks again and again, sometimes their state too.
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <cstdio>
#include <functional>
#include <map>
#include <stdexcept>

#include "json/json.h"

namespace weir::streams {
namespace {

using std::string;
using Text = std::optional<string>;
using TextStream = Stream<Text, Text>;
using Pair = std::pair<Text, Text>;
constexpr std::size_t longest = 12;

// Topics live as long as the process: their names are kept in `names`.
Topic<string, string> topic(const string& name) {
  static std::map<string, string, std::less<>> names;
  const auto& kept = names.emplace(name, name).first->second;
  return {kept.c_str(), &string_codec, &string_codec};
}

/// A node or a script; what is asked for must be there.
class Node {
 public:
  explicit Node(const json::Value& value) : value_(&value) {}
  bool has(const char* member) const { return value_->find(member) != nullptr; }
  string text(const char* member) const { return *at(member).as_string(); }
  bool flag(const char* member) const { return *at(member).as_bool(); }
  std::int64_t number(const char* member) const { return *at(member).as_int(); }
  std::chrono::milliseconds ms(const char* member) const {
    return std::chrono::milliseconds(number(member));
  }
  const json::Array& list(const char* member) const { return *at(member).as_array(); }
  std::int64_t of(std::size_t i) const { return *list("of").at(i).as_int(); }

 private:
  const json::Value& at(const char* member) const {
    const json::Value* found = value_->find(member);
    if (found == nullptr) throw std::runtime_error(string("no ") + member);
    return *found;
  }
  const json::Value* value_;
};

string shown(const Text& text) { return text.value_or("null"); }
string tail(const string& text) {
  return text.size() > longest ? text.substr(text.size() - longest) : text;
}
Text first(const Text& text) { return text ? Text(text->substr(0, 1)) : Text(); }
Text last(const Text& text) { return text ? Text(text->substr(text->size() - 1)) : Text(); }

template <class Fn>
Fn named(const std::map<string, Fn>& table, const string& name) {
  const auto found = table.find(name);
  if (found == table.end()) throw std::runtime_error("no function " + name);
  return found->second;
}

using Predicate = bool (*)(const Text& key, const Text& value);
const std::map<string, Predicate> predicates = {
    {"has_value", [](const Text&, const Text& v) { return v.has_value(); }},
    {"even", [](const Text&, const Text& v) { return v && v->back() % 2 == 0; }},
    {"key_a", [](const Text& k, const Text&) { return k == "a"; }},
    {"not_b", [](const Text& k, const Text&) { return k != "b"; }},
    {"short", [](const Text&, const Text& v) { return !v || v->size() <= 3; }},
    {"rest", [](const Text&, const Text&) { return true; }},
};
using OfRecord = Text (*)(const Text& key, const Text& value);
const std::map<string, OfRecord> values = {
    {"exclaim", [](const Text&, const Text& v) { return Text(tail(shown(v) + "!")); }},
    {"double", [](const Text&, const Text& v) { return v ? Text(tail(*v + *v)) : Text(); }},
    {"first", [](const Text&, const Text& v) { return first(v); }},
    {"lose", [](const Text&, const Text& v) { return !v || v->back() % 3 == 0 ? Text() : v; }},
    {"with_key",
     [](const Text& k, const Text& v) { return Text(tail(shown(k) + ":" + shown(v))); }},
};
const std::map<string, OfRecord> keys = {
    {"first_of_value", [](const Text&, const Text& v) { return first(v); }},
    {"last_of_value", [](const Text&, const Text& v) { return v ? last(v) : Text("z"); }},
    {"first_of_key", [](const Text& k, const Text&) { return first(k); }},
    {"lose_b", [](const Text& k, const Text&) { return k == "b" ? Text() : k; }},
    {"with_value",
     [](const Text& k, const Text& v) { return Text(tail(shown(k) + shown(first(v)))); }},
};
using Several = std::vector<Text> (*)(const Text& value);
const std::map<string, Several> several = {
    {"twice",
     [](const Text& v) { return v ? std::vector<Text>{v, tail(*v + *v)} : std::vector<Text>{}; }},
    {"ends",
     [](const Text& v) {
       return v ? std::vector<Text>{first(v), last(v), Text()} : std::vector<Text>{Text()};
     }},
};
using ToPair = Pair (*)(const Text& key, const Text& value);
const std::map<string, ToPair> pair = {
    {"swap", [](const Text& k, const Text& v) { return Pair(v, k); }},
    {"shout", [](const Text& k, const Text& v) { return Pair(first(k), tail(shown(v) + "!")); }},
};
using ToPairs = std::vector<Pair> (*)(const Text& key, const Text& value);
const std::map<string, ToPairs> pairs = {
    {"both", [](const Text& k, const Text& v) { return std::vector<Pair>{{k, v}, {first(v), k}}; }},
    {"fan",
     [](const Text& k, const Text& v) {
       return v ? std::vector<Pair>{{k, tail(*v + "1")}, {k, tail(*v + "2")}} : std::vector<Pair>{};
     }},
};
using Aggregate = void (*)(Text& all, const string& value);
const std::map<string, Aggregate> aggregates = {
    {"append", [](Text& all, const string& value) { all = tail(all.value_or("") + value); }},
    {"append_or_forget",
     [](Text& all, const string& value) {
       if (!all) all.emplace();
       if (all->size() > 6)
         all.reset();
       else
         *all += value;
     }},
};
string joined_texts(const string& a, const string& b) { return tail(a + b); }

/// All processors of the scripts, by name.
class Own final : public Processor<Text, Text, Text, Text> {
 public:
  explicit Own(const Node& node)
      : kind_(node.text("fn")),
        name_(node.text("name")),
        store_name_(node.has("store") ? node.text("store") : ""),
        number_(node.has("number") ? node.number("number") : 0) {}

  void open(Context& context) override {
    if (!store_name_.empty()) store_ = context.store<string, string>(store_name_);
    if (!kind_.starts_with("gather")) return;
    context.schedule(
        std::chrono::milliseconds(number_),
        kind_.starts_with("gather_wall") ? Punctuation::wall_clock : Punctuation::stream_time,
        [this, &context](Timestamp now) { give(now, context); });
  }

  Result<void> process(const Text& key, const Text& value, Context& context) override {
    if (kind_ == "stamp") {
      stamp(name_, key, value, context.timestamp(), value, context);
    } else if (kind_ == "stamp_twice") {
      const Text second = named(values, "exclaim")(key, value);
      stamp(name_, key, value, context.timestamp(), value, context);
      stamp(name_ + "b", key, second, context.timestamp() + std::chrono::milliseconds(1), second,
            context);
    } else if (kind_ == "pass") {
      context.forward(key, value);
    } else if (kind_ == "show_headers") {
      string text = shown(value);
      for (const Header header : context.headers()) text += "#" + string(header.key);
      context.forward(key, text);
    } else if (kind_ == "shift") {
      context.forward(
          key, value,
          std::max(Timestamp(), context.timestamp() + std::chrono::milliseconds(number_)));
    } else if (kind_ == "clock") {
      context.forward(key, tail(shown(value) + "@" + number_of(context.stream_time())));
    } else if (kind_ == "recall") {
      context.forward(key, tail(shown(value) + "/" + shown(key ? store_.get(*key) : Text())));
    } else if (key) {
      keep_or_gather(*key, value, context);
    }
    return {};
  }

 private:
  static string number_of(Timestamp time) {
    return std::to_string(time.time_since_epoch().count());
  }
  static void stamp(const string& header, const Text& key, const Text& value, Timestamp at,
                    const Text& in_header, Context& context) {
    const Header added[] = {
        {header, in_header ? std::optional<std::string_view>(*in_header) : std::nullopt}};
    context.forward(key, value, at, added);
  }
  void keep_or_gather(const string& key, const Text& value, Context& context) {
    const Text before = store_.get(key);
    if (kind_ != "keep") {
      if (value) store_.put(key, tail(before.value_or("") + *value));
      return;
    }
    if (value)
      store_.put(key, *value);
    else
      store_.remove(key);
    context.forward(key, tail(shown(before) + "|" + shown(value)));
  }
  void give(Timestamp now, Context& context) {
    std::vector<std::pair<string, string>> rows;
    store_.for_each([&](const string& key, const string& value) {
      rows.emplace_back(key, value);
      return true;
    });
    for (const auto& [key, value] : rows) {
      context.forward(key, value + "@" + number_of(now), now);
      if (kind_.ends_with("clear")) store_.remove(key);
    }
  }

  string kind_;
  string name_;
  string store_name_;
  std::int64_t number_;
  KeyValueStore<string, string> store_;
};

TextStream texts(const Table<string, string>& table) {
  return table.to_stream().map_key([](const string& key, const Text&) { return Text(key); });
}
template <class K>
Stream<K, Text> shown_counts(const Stream<K, std::optional<std::int64_t>>& counts) {
  return counts.map_values(
      [](const std::optional<std::int64_t>& n) { return n ? Text(std::to_string(*n)) : Text(); });
}
TextStream with_shown_windows(const Stream<Windowed<string>, Text>& windows) {
  return windows.map_key([](const Windowed<string>& key, const Text&) {
    return Text(key.key + "@" + std::to_string(key.window.start_ms) + "/" +
                std::to_string(key.window.end_ms));
  });
}

/// Builds the topology of a script.
class Builder {
 public:
  explicit Builder(const Node& script) {
    for (const json::Value& name : script.list("stores"))
      topology_.add_store<string, string>(*name.as_string());
    for (const json::Value& node : script.list("nodes")) add(Node(node));
  }
  const Topology& topology() const { return topology_; }

 private:
  using Step = void (Builder::*)(const Node&);

  void add(const Node& node) {
    static const std::map<string, Step> steps = {
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
        {"write_table", &Builder::write_table},
    };
    (this->*named(steps, node.text("op")))(node);
  }
  const TextStream& from(const Node& node, std::size_t i = 0) const {
    return streams_.at(node.of(i));
  }
  void give(const Node& node, const TextStream& stream) {
    streams_.emplace(node.number("id"), stream);
  }

  void source(const Node& node) {
    give(node, topology_.stream(nullable(topic(node.text("topic")))));
  }
  void table(const Node& node) {
    tables_.emplace(node.number("id"),
                    topology_.table(nullable(topic(node.text("topic"))), node.text("name")));
  }
  void stateless(const Node& node) {
    const string op = node.text("op");
    const string fn = node.has("fn") ? node.text("fn") : "";
    const TextStream& in = from(node);
    if (op == "filter") give(node, in.filter(named(predicates, fn)));
    if (op == "map_values") give(node, in.map_values(named(values, fn)));
    if (op == "map_key") give(node, in.map_key(named(keys, fn)));
    if (op == "map") give(node, in.map(named(pair, fn)));
    if (op == "flat_map") give(node, in.flat_map(named(pairs, fn)));
    if (op == "flat_map_values") give(node, in.flat_map_values(named(several, fn)));
    if (op == "peek") give(node, in.peek([](const Text&) {}));
  }
  void split(const Node& node) {
    const auto branches = from(node).split();
    for (const json::Value& value : node.list("branches")) {
      const Node branch(value);
      const string name = node.text("name") + "-" + std::to_string(branch.number("id"));
      give(branch, branches.branch(name, named(predicates, branch.text("fn"))));
    }
  }
  void merge(const Node& node) { give(node, from(node).merge(from(node, 1))); }
  void repartition(const Node& node) { give(node, from(node).repartition(node.text("name"))); }
  void process(const Node& node) {
    std::vector<string> stores;
    if (node.has("store")) stores.push_back(node.text("store"));
    give(node, from(node).process([node] { return std::make_unique<Own>(node); }, node.text("name"),
                                  stores));
  }
  void join(const Node& node) {
    const auto& table = tables_.at(node.of(1));
    const string name = node.text("name");
    if (node.text("op") == "join")
      give(node,
           from(node).join(
               table, [](const string& l, const string& r) { return Text(tail(l + "|" + r)); },
               name));
    else
      give(node, from(node).left_join(
                     table,
                     [](const string& l, const string* r) {
                       return Text(tail(l + "|" + (r != nullptr ? *r : "null")));
                     },
                     name));
  }

  GroupedStream<Text, Text> grouped(const Node& node) const {
    const string name = node.text("name") + "-by";
    if (!node.has("by")) return from(node).group_by_key(name);
    return from(node).group_by(named(keys, node.text("by")), name);
  }
  static TimeWindows windows_of(const Node& node) {
    TimeWindows windows = hopping(node.ms("size"), node.ms("advance")).grace(node.ms("grace"));
    if (node.has("retention")) windows = windows.retention(node.ms("retention"));
    return windows.emit(node.flag("on_close") ? Emit::on_close : Emit::on_update);
  }
  void aggregate(const Node& node) {
    const string op = node.text("op");
    const string name = node.text("name");
    const std::int64_t id = node.number("id");
    if (op == "count") counts_.emplace(id, grouped(node).count(name));
    if (op == "reduce") tables_.emplace(id, grouped(node).reduce(joined_texts, name));
    if (op == "aggregate")
      tables_.emplace(id,
                      grouped(node).aggregate(string(), named(aggregates, node.text("fn")), name));
  }
  void window(const Node& node) {
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
  void session(const Node& node) {
    const std::int64_t id = node.number("id");
    SessionWindows how = sessions(node.ms("gap")).grace(node.ms("grace"));
    if (node.has("retention")) how = how.retention(node.ms("retention"));
    auto windowed =
        grouped(node).windowed(how.emit(node.flag("on_close") ? Emit::on_close : Emit::on_update));
    if (node.text("op") == "session_count")
      window_counts_.emplace(id, windowed.count(node.text("name")));
    else
      windows_.emplace(id,
                       windowed.aggregate(
                           string(), [](string& all, const Text& v) { all = tail(all + shown(v)); },
                           joined_texts, node.text("name")));
  }
  void sliding_window(const Node& node) {
    const std::int64_t id = node.number("id");
    auto windowed = grouped(node).windowed(sliding(node.ms("difference")).grace(node.ms("grace")));
    if (node.text("op") == "sliding_count")
      window_counts_.emplace(id, windowed.count(node.text("name")));
    else
      windows_.emplace(id, windowed.aggregate(
                               string(), [](string& all, const string& v) { all = tail(all + v); },
                               node.text("name")));
  }
  void stream_join(const Node& node) {
    const string op = node.text("op");
    const string name = node.text("name");
    const TextStream& left = from(node);
    const TextStream& right = from(node, 1);
    const JoinWindows windows = JoinWindows(node.ms("before"), node.ms("after"))
                                    .grace(node.ms("grace"))
                                    .like_kafka_streams();
    const auto joined = [](const string* l, const string* r) {
      return Text(tail((l != nullptr ? *l : "null") + "+" + (r != nullptr ? *r : "null")));
    };
    if (op == "stream_join_inner")
      give(node, left.join(
                     right, [=](const string& l, const string& r) { return joined(&l, &r); },
                     windows, name));
    if (op == "stream_join_left")
      give(node, left.left_join(
                     right, [=](const string& l, const string* r) { return joined(&l, r); },
                     windows, name));
    if (op == "stream_join_outer") give(node, left.outer_join(right, joined, windows, name));
  }
  /// Of values that are there.
  void window_reduce(const Node& node) {
    const auto present = [](const Text& value) { return *value; };
    const string name = node.text("name");
    auto made = [&](const auto& stream) {
      return stream.windowed(windows_of(node)).reduce(joined_texts, name);
    };
    const auto in = from(node).map_values(present);
    windows_.emplace(
        node.number("id"),
        node.has("by") ? made(in.group_by([by = named(keys, node.text("by"))](
                                              const Text& k, const string& v) { return by(k, v); },
                                          name + "-by"))
                       : made(in.group_by_key(name + "-by")));
  }

  void to_stream(const Node& node) {
    const std::int64_t of = node.of(0);
    if (const auto found = tables_.find(of); found != tables_.end())
      give(node, texts(found->second));
    if (const auto found = counts_.find(of); found != counts_.end())
      give(node,
           shown_counts(found->second.to_stream()).map_key([](const string& key, const Text&) {
             return Text(key);
           }));
    if (const auto found = windows_.find(of); found != windows_.end())
      give(node, with_shown_windows(found->second.to_stream()));
    if (const auto found = window_counts_.find(of); found != window_counts_.end())
      give(node, with_shown_windows(shown_counts(found->second.to_stream())));
  }
  void to(const Node& node) { from(node).to(nullable(topic(node.text("topic")))); }
  void write_table(const Node& node) { tables_.at(node.of(0)).to(topic(node.text("topic"))); }

  Topology topology_{"app"};
  std::map<std::int64_t, TextStream> streams_;
  std::map<std::int64_t, Table<string, string>> tables_;
  std::map<std::int64_t, Table<string, std::int64_t>> counts_;
  std::map<std::int64_t, Table<Windowed<string>, string>> windows_;
  std::map<std::int64_t, Table<Windowed<string>, std::int64_t>> window_counts_;
};

Text text_of(const json::Value& value) {
  const string* text = value.as_string();
  return text != nullptr ? Text(*text) : Text();
}
json::Value json_of(const Text& text) { return text ? json::Value(*text) : json::Value(); }

void play(const json::Array& event, TestDriver& driver) {
  const string& topic = *event.at(0).as_string();
  if (topic == "advance") return driver.advance(std::chrono::milliseconds(*event.at(1).as_int()));
  RawRecord record{.topic = topic,
                   .key = text_of(event.at(1)),
                   .value = text_of(event.at(2)),
                   .timestamp_ms = *event.at(3).as_int()};
  for (const json::Value& header : *event.at(4).as_array()) {
    auto& added = record.headers.emplace_back();
    added.key = *header.as_array()->at(0).as_string();
    added.value = text_of(header.as_array()->at(1));
  }
  driver.pipe(std::move(record));
}

json::Value shown(const RawRecord& record) {
  json::Array headers;
  for (const auto& header : record.headers)
    headers.push_back(json::Array{header.key, json_of(header.value)});
  return json::Array{json_of(record.key), json_of(record.value), record.timestamp_ms,
                     std::move(headers)};
}

/// What came out, by event and topic.
json::Array run(const Node& script) {
  const Builder builder(script);
  TestDriver driver(builder.topology(),
                    {.partitions = static_cast<std::int32_t>(script.number("partitions"))});
  json::Array outputs;
  for (const json::Value& event : script.list("events")) {
    play(*event.as_array(), driver);
    if (script.flag("crashes") && outputs.size() % 3 == 2) driver.crash();
    if (script.flag("crashes") && outputs.size() % 5 == 4) driver.crash_and_lose_state();
    json::Object made;
    for (const json::Value& topic : script.list("topics")) {
      json::Array records;
      for (const RawRecord& record : driver.raw_output(*topic.as_string()))
        records.push_back(shown(record));
      if (!records.empty()) made.set(*topic.as_string(), std::move(records));
    }
    outputs.push_back(std::move(made));
  }
  return outputs;
}

json::Value answer(const string& line) {
  const auto script = json::parse(line);
  if (!script) return json::Object{{"error", script.error().message()}};
  try {
    return json::Object{{"outputs", run(Node(*script))}};
  } catch (const std::exception& e) {
    return json::Object{{"error", e.what()}};
  }
}

}  // namespace
}  // namespace weir::streams

int main() {
  std::string line;
  for (int c = 0; (c = std::getchar()) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    std::puts(weir::json::write(weir::streams::answer(line)).c_str());
    line.clear();
  }
  return 0;
}
