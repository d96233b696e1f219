#include "stream_script_functions.h"

#include <algorithm>
#include <map>

namespace weir::streams {
namespace {

using std::string;
constexpr std::size_t longest = 12;

Text first(const Text& text) { return text ? Text(text->substr(0, 1)) : Text(); }
Text last(const Text& text) { return text ? Text(text->substr(text->size() - 1)) : Text(); }

template <class Fn>
Fn named(const std::map<string, Fn>& table, const string& name) {
  const auto found = table.find(name);
  if (found == table.end()) throw std::runtime_error("no function " + name);
  return found->second;
}

const std::map<string, Predicate> predicates = {
    {"has_value", [](const Text&, const Text& v) { return v.has_value(); }},
    {"has_key", [](const Text& k, const Text&) { return k.has_value(); }},
    {"even", [](const Text&, const Text& v) { return v && v->back() % 2 == 0; }},
    {"key_a", [](const Text& k, const Text&) { return k == "a"; }},
    {"not_b", [](const Text& k, const Text&) { return k != "b"; }},
    {"short", [](const Text&, const Text& v) { return !v || v->size() <= 3; }},
    {"rest", [](const Text&, const Text&) { return true; }},
};
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
const std::map<string, Several> several = {
    {"twice",
     [](const Text& v) { return v ? std::vector<Text>{v, tail(*v + *v)} : std::vector<Text>{}; }},
    {"ends",
     [](const Text& v) {
       return v ? std::vector<Text>{first(v), last(v), Text()} : std::vector<Text>{Text()};
     }},
};
const std::map<string, ToPair> pair = {
    {"swap", [](const Text& k, const Text& v) { return Pair(v, k); }},
    {"shout", [](const Text& k, const Text& v) { return Pair(first(k), tail(shown(v) + "!")); }},
};
const std::map<string, ToPairs> pairs = {
    {"both", [](const Text& k, const Text& v) { return std::vector<Pair>{{k, v}, {first(v), k}}; }},
    {"fan",
     [](const Text& k, const Text& v) {
       return v ? std::vector<Pair>{{k, tail(*v + "1")}, {k, tail(*v + "2")}} : std::vector<Pair>{};
     }},
};
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

// Of tables: what a value that leaves a group does to it.
const std::map<string, Aggregate> subtractions = {
    {"append", [](Text& all, const string& value) { all = tail(all.value_or("") + "-" + value); }},
    {"append_or_forget",
     [](Text& all, const string& value) {
       if (!all) return;
       if (all->size() > 6)
         all.reset();
       else
         *all += "-" + value;
     }},
};

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

}  // namespace

string shown(const Text& text) { return text.value_or("null"); }
string shown(const string* text) { return text != nullptr ? *text : "null"; }
string tail(const string& text) {
  return text.size() > longest ? text.substr(text.size() - longest) : text;
}
string joined_texts(const string& a, const string& b) { return tail(a + b); }
Predicate predicate(const string& name) { return named(predicates, name); }
OfRecord value_function(const string& name) { return named(values, name); }
OfRecord key_function(const string& name) { return named(keys, name); }
Several several_function(const string& name) { return named(several, name); }
ToPair pair_function(const string& name) { return named(pair, name); }
ToPairs pairs_function(const string& name) { return named(pairs, name); }
Aggregate aggregate_function(const string& name) { return named(aggregates, name); }
Aggregate subtract_function(const string& name) { return named(subtractions, name); }
std::unique_ptr<Processor<Text, Text, Text, Text>> make_processor(const Node& node) {
  return std::make_unique<Own>(node);
}

}  // namespace weir::streams
