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

#include <string>

#include "../streams/application.h"
#include "generator.h"
#include "queries.h"

namespace {

using namespace weir::nexmark;
using weir::bench::number;
using weir::bench::stop;
using namespace std::chrono_literals;

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
  if (std::string(argv[1]) == "fill") return fill(argv[2], number(argv[3]));
  weir::bench::run_application(argc, argv, make_query);
}
