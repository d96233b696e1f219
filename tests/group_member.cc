// A member of a group that says what it owns and reads, for groups_test.py. The same program is
// there in Java (java/GroupMember.java) and over librdkafka (lib/group_member.py).
//
//   group_member BOOTSTRAP GROUP TOPIC ASSIGNORS
//
// Lines, each with CLOCK_MONOTONIC in nanoseconds:
//   NS assigned|revoked|lost P P …     NS record P OFFSET VALUE     NS committed
// Commits after each poll and before partitions are revoked; SIGTERM closes.
#include <fmt/core.h>
#include <weir/client.h>

#include <csignal>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace {

using namespace std::chrono_literals;

volatile std::sig_atomic_t ends = 0;

long long now_ns() { return weir::SystemClock().now().time_since_epoch().count(); }

void say(const std::string& line) {
  fmt::print("{} {}\n", now_ns(), line);
  std::fflush(stdout);
}

class Teller final : public weir::RebalanceObserver {
 public:
  using Partitions = std::vector<weir::TopicPartition>;
  void on_assigned(weir::Consumer&, const Partitions& partitions) override {
    tell("assigned", partitions);
  }
  void on_revoked(weir::Consumer& consumer, const Partitions& partitions) override {
    if (auto done = consumer.commit(5s); !done)
      fmt::print(stderr, "commit before revoked: {}\n", done.error().message());
    tell("revoked", partitions);
  }
  void on_lost(weir::Consumer&, const Partitions& partitions) override { tell("lost", partitions); }

 private:
  static void tell(std::string_view what, const Partitions& partitions) {
    std::string line(what);
    for (const auto& partition : partitions) line += fmt::format(" {}", partition.partition);
    say(line);
  }
};

std::vector<std::shared_ptr<weir::Assignor>> assignors(std::string_view names) {
  std::vector<std::shared_ptr<weir::Assignor>> out;
  while (!names.empty()) {
    const auto comma = std::min(names.find(','), names.size());
    const auto name = names.substr(0, comma);
    if (name == "range") out.push_back(weir::range_assignor());
    if (name == "roundrobin") out.push_back(weir::round_robin_assignor());
    if (name == "sticky") out.push_back(weir::sticky_assignor());
    if (name == "cooperative-sticky") out.push_back(weir::cooperative_sticky_assignor());
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return out;
}

int failed(std::string_view what, const weir::Error& error) {
  fmt::print(stderr, "{}: {} {}\n", what, weir::name_of(error.code()), error.message());
  return 1;
}

int run(char** argv) {
  auto client = weir::Client::connect(argv[1]);
  if (!client) return failed("connect", client.error());
  auto consumer = client->consumer({.group = argv[2],
                                    .topics = {argv[3]},
                                    .auto_offset_reset = weir::OffsetReset::earliest,
                                    .assignors = assignors(argv[4]),
                                    .observer = std::make_shared<Teller>(),
                                    .session_timeout = 6s,
                                    .heartbeat_interval = 500ms});
  if (!consumer) return failed("consumer", consumer.error());
  while (ends == 0) {
    auto batches = consumer->poll(100ms);
    if (!batches) return failed("poll", batches.error());
    if (batches->empty()) continue;
    for (const weir::Batch& batch : *batches)
      for (const weir::RecordView& record : batch)
        say(fmt::format("record {} {} {}", batch.partition(), record.offset(), *record.value()));
    if (auto done = consumer->commit(5s); !done)
      fmt::print(stderr, "commit: {}\n", done.error().message());
    else
      say("committed");
  }
  if (auto closed = consumer->close(10s); !closed) return failed("close", closed.error());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  std::signal(SIGTERM, [](int) { ends = 1; });
  return run(argv);
}
