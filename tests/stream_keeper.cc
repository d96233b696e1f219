// A stream application for the tests in Python, with a large state: it keeps the largest value of
// each key, and writes it whenever there is a record of that key.
#include <weir/streams.h>

#include <algorithm>

namespace {

using namespace weir::streams;
using Text = std::string;

const weir::Topic<Text, Text> input{"in", &weir::string_codec, &weir::string_codec};
const weir::EntityTopic<Text, Text> output{"out", &weir::string_codec, &weir::string_codec};

Topology make() {
  Topology topology("keeper");
  topology.stream(input)
      .group_by_key()
      .reduce([](const Text& kept, const Text& value) { return std::max(kept, value); }, "rows")
      .to(output);
  return topology;
}

}  // namespace

int main(int argc, char** argv) { return run(make(), argc, argv); }
