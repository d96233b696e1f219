// What a record costs a stream application on weir; and what fills its input.
//
//   streams_cost fill ADDRESS TOPIC RECORDS KEYS
//   streams_cost pass|filter_map|count ADDRESS exactly_once|at_least_once COMMIT_MS STATE_DIR
//     CACHE_BYTES APPLICATION
//
// Reads "streams-in", writes "streams-out"; runs until it is told to end.
#include <weir/client.h>
#include <weir/streams.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using namespace weir::streams;
using namespace std::chrono_literals;
using View = std::string_view;

constexpr std::size_t value_bytes = 100;
const weir::Topic<View, View> input{"streams-in", &view_codec, &view_codec};
const weir::Topic<View, View> output{"streams-out", &view_codec, &view_codec};
const weir::EntityTopic<View, std::int64_t> counts{"streams-out", &weir::int64_codec, &view_codec};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "streams_cost: %s\n", why.c_str());
  std::exit(1);
}

long number(const char* text) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0') stop(std::string(text) + " is no number");
  return value;
}

/// A value's second byte says whether it passes the filter; half do.
int fill(const char* address, const char* topic, long records, long keys) {
  auto client = weir::Client::connect(address);
  if (!client) stop(client.error().message());
  auto producer = client->producer({.linger = 20ms, .batch_bytes = 256U << 10U});
  if (!producer) stop(producer.error().message());
  std::string value(value_bytes, 'v');
  std::uint64_t state = 42;
  for (long i = 0; i < records; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t key = (state >> 20U) % static_cast<std::uint64_t>(keys);
    char key_bytes[8];
    std::memcpy(key_bytes, &key, sizeof key_bytes);
    value[1] = (state >> 60U) % 2 == 0 ? 'a' : 'b';
    std::memcpy(value.data() + 2, &i, sizeof i);
    auto sent = producer->send({.topic = topic, .key = View(key_bytes, 8), .value = value});
    if (!sent) stop(sent.error().message());
  }
  if (auto done = producer->flush(60s); !done) stop(done.error().message());
  return 0;
}

Topology make(const std::string& mode, const std::string& name) {
  Topology topology(name);
  if (mode == "pass") {
    topology.stream(input).to(output);
  } else if (mode == "filter_map") {
    topology.stream(input)
        .filter([](const View& value) { return value[1] == 'a'; })
        .map_values([](const View& value) {
          std::string changed(value);
          changed[0] = 'w';
          return changed;
        })
        .to(weir::Topic<View, std::string>{"streams-out", &weir::string_codec, &view_codec});
  } else if (mode == "count") {
    topology.stream(input).group_by_key().count("counts").to(counts);
  } else {
    stop("no mode " + mode);
  }
  return topology;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) stop("see the top of its source");
  const std::string mode = argv[1];
  if (mode == "fill") return fill(argv[2], argv[3], number(argv[4]), number(argv[5]));
  if (argc < 8) stop("see the top of its source");
  ApplicationOptions options;
  options.guarantee = std::strcmp(argv[3], "exactly_once") == 0 ? Guarantee::exactly_once
                                                                : Guarantee::at_least_once;
  options.commit_interval = std::chrono::milliseconds(number(argv[4]));
  options.state_dir = argv[5];
  options.cache_bytes = static_cast<std::size_t>(number(argv[6]));
  auto application = Application::start(make(mode, argv[7]), argv[2], options);
  if (!application) stop(application.error().message());
  auto ended = application->wait();
  stop(ended ? "ended" : ended.error().message());
}
