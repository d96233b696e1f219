#include "streams_case.h"

#include <fmt/core.h>

namespace weir::tests::streams_case {
namespace {

using namespace weir::streams;
using std::chrono::milliseconds;

const Topic<Text, Text> input_topic{"in", &string_codec, &string_codec};
const EntityTopic<Text, Text> people_topic{"people", &string_codec, &string_codec};
const EntityTopic<Text, Text> places_topic{"places", &string_codec, &string_codec};
const EntityTopic<Text, Text> names_topic{"names", &string_codec, &string_codec};
const EntityTopic<Text, std::int64_t> counts_topic{"counts", &int64_codec, &string_codec};
const EntityTopic<Windowed<Text>, std::int64_t> windows_topic{"windows", &int64_codec,
                                                              &window_codec};
const EntityTopic<Windowed<Text>, std::int64_t> finals_topic{"finals", &int64_codec, &window_codec};
const EntityTopic<Windowed<Text>, std::int64_t> sessions_topic{"sessions", &int64_codec,
                                                               &session_codec};
const Topic<Text, Text> pairs_topic{"pairs", &string_codec, &string_codec};
const Topic<Text, Text> named_topic{"named", &string_codec, &string_codec};
const EntityTopic<Text, Text> ruled_topic{"ruled", &string_codec, &string_codec};
const EntityTopic<Text, std::int64_t> ticks_topic{"ticks", &int64_codec, &string_codec};

/// Counts by the wall clock, under a name that it takes once: whatever was committed of it goes on
/// from 1 without a gap.
class Ticker final : public Processor<Text, Text, Text, std::int64_t> {
 public:
  Ticker(const bool& ticking, Rng& rng) : ticking_(ticking), rng_(rng) {}
  void open(Context& context) override {
    ticks_ = context.store<Text, std::int64_t>("ticks");
    context.schedule(milliseconds(20), Punctuation::wall_clock, [this, &context](Timestamp) {
      if (ticking_) tick(context);
    });
  }
  Result<void> process(const Text&, const Text&, Context&) override { return {}; }

 private:
  void tick(Context& context) {
    Text name;
    std::int64_t ticks = 0;
    ticks_.for_each([&](const Text& known, std::int64_t so_far) {
      name = known;
      ticks = so_far;
      return false;
    });
    if (name.empty()) name = fmt::format("{:016x}", rng_.next());
    ticks_.put(name, ++ticks);
    context.forward(name, ticks);
  }
  const bool& ticking_;
  Rng& rng_;
  KeyValueStore<Text, std::int64_t> ticks_;
};

Text or_none(const Text* value) { return value != nullptr ? *value : "none"; }

void add_windows(const Stream<Text, Text>& input) {
  auto hits = input.group_by_key()
                  .windowed(tumbling(milliseconds(window_ms)).grace(milliseconds(grace_ms)))
                  .count("hits");
  hits.to(windows_topic);
  hits.suppress(Suppression::until_window_closes(), "hits-held").to(finals_topic);
  input.group_by_key()
      .windowed(sessions(milliseconds(gap_ms)).grace(milliseconds(grace_ms)))
      .count("visits")
      .to(sessions_topic);
}

/// Both sides are of one input, so the log says in which order they came.
void add_joins(Topology& topology, const Stream<Text, Text>& input) {
  auto left = input.filter([](const Text& value) { return is_left(value); }, "left");
  auto right = input.filter([](const Text& value) { return !is_left(value); }, "right");
  left.outer_join(
          right, [](const Text* l, const Text* r) { return or_none(l) + "+" + or_none(r); },
          within(milliseconds(apart_ms)).grace(milliseconds(grace_ms)), "met")
      .to(pairs_topic);
  input
      .left_join(
          topology.global_table(names_topic, "all-names"),
          [](const Text& value) { return value.substr(0, 1); },
          [](const Text& value, const Text* name) { return value + " is " + or_none(name); },
          "named")
      .to(named_topic);
  topology.table(people_topic, "people-kept")
      .foreign_key_left_join(
          topology.table(places_topic, "places-kept"),
          [](const Text& person) { return person.substr(0, 1); },
          [](const Text& person, const Text* place) { return person + " in " + or_none(place); },
          "ruled-kept")
      .to(ruled_topic);
}

}  // namespace

std::vector<std::string> topics() {
  return {"in",     "people",   "places", "names", "counts", "windows",
          "finals", "sessions", "pairs",  "ruled", "named",  "ticks"};
}

Topology make_topology(const bool& ticking, Rng& rng) {
  Topology topology("app");
  auto input = topology.stream(input_topic);
  topology.add_store<Text, std::int64_t>("ticks", &int64_codec);
  input
      .process([&ticking, &rng] { return std::make_unique<Ticker>(ticking, rng); }, "ticker",
               {"ticks"})
      .to(ticks_topic);
  input.map_key([](const Text& value) { return value.substr(0, 1); }, "by-letter-key")
      .group_by_key("by-letter")
      .count("letters")
      .to(counts_topic);
  add_windows(input);
  add_joins(topology, input);
  return topology;
}

TableRef<Text, std::int64_t> letters() { return {"letters", &string_codec, &int64_codec}; }
WindowsRef<Text, std::int64_t> visits() { return {"visits", &string_codec, &int64_codec}; }
TableRef<Text, Text> ruled() { return {"ruled-kept", &string_codec, &string_codec}; }

}  // namespace weir::tests::streams_case
