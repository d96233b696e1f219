// A stream application for the tests in Python: what comes into "in" is counted by its first
// letter, behind a repartition, and by key and window of one second. With STREAM_APP_FAILS=TEXT in
// the environment it cannot map a value that is TEXT; with STREAM_APP_HANGS it never comes back.
#include <weir/streams.h>

#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace {

using namespace weir::streams;
using Text = std::string;

const weir::Topic<Text, Text> input{"in", &weir::string_codec, &weir::string_codec};
const weir::EntityTopic<Text, std::int64_t> letters{"letters", &weir::int64_codec,
                                                    &weir::string_codec};
constexpr WindowedCodec<Text> windowed(weir::string_codec, std::chrono::seconds(1));
const weir::EntityTopic<Windowed<Text>, std::int64_t> hits{"hits", &weir::int64_codec, &windowed};

Text first_letter(const Text& value) {
  static const char* const fails = std::getenv("STREAM_APP_FAILS");
  if (fails != nullptr && value == fails) throw std::runtime_error("cannot map " + value);
  static const char* const hangs = std::getenv("STREAM_APP_HANGS");
  while (hangs != nullptr && value == hangs) ::pause();
  return value.substr(0, 1);
}

Topology make() {
  Topology topology("counter");
  auto in = topology.stream(input);
  in.map_key(first_letter, "by-letter-key").group_by_key("by-letter").count("letters").to(letters);
  in.group_by_key()
      .windowed(tumbling(std::chrono::seconds(1)).grace(std::chrono::seconds(1)))
      .count("hits")
      .to(hits);
  return topology;
}

}  // namespace

int main(int argc, char** argv) { return run(make(), argc, argv); }
