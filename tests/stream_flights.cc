// A stream application for the tests in Python: departures are counted by origin and day.
#include <weir/streams.h>

namespace {

using namespace weir::streams;
using namespace std::chrono_literals;
using Text = std::string;

const weir::Topic<Text, Text> departures{"departures", &weir::string_codec, &weir::string_codec};
constexpr WindowedCodec<Text> windowed(weir::string_codec, 24h);
const weir::EntityTopic<Windowed<Text>, std::int64_t> by_day{"by-day", &weir::int64_codec,
                                                             &windowed};

Topology make() {
  Topology topology("flights");
  topology.stream(departures)
      .group_by_key()
      .windowed(tumbling(24h).grace(24h))
      .count("days")
      .to(by_day);
  return topology;
}

}  // namespace

int main(int argc, char** argv) { return run(make(), argc, argv); }
