// Nexmark on weir; and what fills its input.
//
//   nexmark_cost fill ADDRESS EVENTS
//   nexmark_cost QUERY ADDRESS exactly_once|at_least_once COMMIT_MS STATE_DIR CACHE_BYTES
//   APPLICATION
//
// A query reads the topic "nexmark", whose events are those of the first EVENTS numbers, spread
// over its partitions in turn, and writes "QUERY-out"; it runs until it is told to end.
#include <weir/client.h>
#include <weir/streams.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "generator.h"
#include "queries.h"

namespace {

using namespace weir::nexmark;
using namespace std::chrono_literals;

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "nexmark_cost: %s\n", why.c_str());
  std::exit(1);
}

long number(const char* text) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0') stop(std::string(text) + " is no number");
  return value;
}

int fill(const char* address, long events) {
  auto client = weir::Client::connect(address);
  if (!client) stop(client.error().message());
  const auto topic = client->admin().describe_topic(event_topic);
  if (!topic) stop(topic.error().message());
  const auto partitions = static_cast<long>(topic->partitions.size());
  auto producer = client->producer({.linger = 20ms, .batch_bytes = 256U << 10U});
  if (!producer) stop(producer.error().message());
  std::string bytes;
  for (long i = 0; i < events; ++i) {
    const Event event = make_event(i);
    bytes.clear();
    if (auto done = event_codec.encode(view_of(event), bytes); !done) stop(done.error().message());
    auto sent =
        producer->send({.topic = event_topic,
                        .value = bytes,
                        .partition = static_cast<std::int32_t>(i % partitions),
                        .timestamp = weir::Timestamp(std::chrono::milliseconds(time_of(event)))});
    if (!sent) stop(sent.error().message());
  }
  if (auto done = producer->flush(60s); !done) stop(done.error().message());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) stop("see the top of its source");
  const std::string what = argv[1];
  if (what == "fill") return fill(argv[2], number(argv[3]));
  if (argc < 8) stop("see the top of its source");
  using namespace weir::streams;
  ApplicationOptions options;
  options.guarantee = std::strcmp(argv[3], "exactly_once") == 0 ? Guarantee::exactly_once
                                                                : Guarantee::at_least_once;
  options.commit_interval = std::chrono::milliseconds(number(argv[4]));
  options.state_dir = argv[5];
  options.cache_bytes = static_cast<std::size_t>(number(argv[6]));
  auto application = Application::start(make_query(what, argv[7]), argv[2], options);
  if (!application) stop(application.error().message());
  auto ended = application->wait();
  stop(ended ? "ended" : ended.error().message());
}
