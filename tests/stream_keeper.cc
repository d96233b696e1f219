// A stream application for the tests in Python, with a large state: it keeps the largest value of
// each key, and writes it whenever there is a record of that key. `stream_keeper fill ADDRESS
// RECORDS` writes its input: keys "key-0000000" and on, values of 88 bytes that begin with "v-" and
// the number.
#include <weir/client.h>
#include <weir/streams.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

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

weir::Result<void> fill(const char* address, long records) {
  auto client = weir::Client::connect(address);
  if (!client) return weir::fail(client.error());
  auto producer = client->producer({.linger = std::chrono::milliseconds(20)});
  if (!producer) return weir::fail(producer.error());
  for (long i = 0; i < records; ++i) {
    const Text number = std::to_string(10'000'000 + i).substr(1);  // seven digits
    const Text key = "key-" + number;
    const Text value = "v-" + number + Text(79, '.');
    if (auto sent = producer->send({.topic = "in", .key = key, .value = value}); !sent)
      return weir::fail(sent.error());
  }
  return producer->flush(std::chrono::minutes(10));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || Text(argv[1]) != "fill") return run(make(), argc, argv);
  if (const auto done = fill(argv[2], std::strtol(argv[3], nullptr, 10)); !done) {
    std::fprintf(stderr, "%s\n", done.error().message().c_str());
    return 1;
  }
  return 0;
}
