// How fast a task's state is read from its changelog into RocksDB.
//
//   restore_cost fill ADDRESS TOPIC RECORDS
//   restore_cost runs|batches ADDRESS TOPIC RECORDS STATE_DIR
//
// `fill` writes records of 8 + 92 bytes to partition 0, keys in no order and each once. The others
// restore a table of that topic into an empty store and say "restored RECORDS MILLISECONDS CPU",
// the processor time in milliseconds too.
#include <weir/streams.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "client/session_maker.h"
#include "streams/process_folder.h"
#include "streams/restorer.h"

namespace {

using namespace weir::streams;
using namespace std::chrono_literals;
using Text = std::string;

constexpr std::size_t value_bytes = 92;
constexpr TaskId only_task{0, 0};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "restore_cost: %s\n", why.c_str());
  std::exit(1);
}

template <class T>
T must(weir::Result<T> result) {
  if (!result) stop(result.error().message());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

void fill(const char* address, const char* topic, std::int64_t records) {
  auto client = must(weir::Client::connect(address));
  auto producer = must(client.producer({.linger = 20ms, .batch_bytes = 256U << 10U}));
  std::string value(value_bytes, 'v');
  std::uint64_t noise = 42;
  for (std::int64_t i = 0; i < records; ++i) {
    const std::uint64_t key = static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15U;  // each once
    for (std::size_t b = 0; b < value_bytes / 2; b += sizeof noise) {
      noise = noise * 6364136223846793005U + 1442695040888963407U;
      std::memcpy(value.data() + b, &noise, sizeof noise);
    }
    char key_bytes[sizeof key];
    std::memcpy(key_bytes, &key, sizeof key);
    must(producer.send({.topic = topic,
                        .key = std::string_view(key_bytes, sizeof key),
                        .value = value,
                        .partition = 0}));
  }
  must(producer.flush(600s));
}

/// Nothing is written in a restore.
class NoOutputs final : public Outputs {
  weir::Result<void> send(const OutputRecord&) override { return {}; }
  weir::Result<std::int32_t> partitions_of(std::string_view) override { return 1; }
};

void restore(bool by_runs, const char* address, const std::string& topic, std::int64_t records,
             const char* state_dir) {
  Topology topology("restore");
  topology.table(weir::EntityTopic<Text, Text>{topic, &weir::string_codec, &weir::string_codec},
                 "rows");
  const Plan made = must(plan(topology.graph(), {{topic, 1}}));
  const auto folder = must(ProcessFolder::open(state_dir, "restore"));
  const auto session = must(must(weir::client::SessionMaker::to(address, {})).make());
  NoOutputs outputs;
  std::unique_ptr<Restorer> restorer;
  std::unique_ptr<Task> task;
  const auto begin = std::chrono::steady_clock::now();
  must(session->wait<void>(600s, [&](auto done) {
    Restorer::Options options;
    if (!by_runs) options.by_runs_from = std::numeric_limits<std::int64_t>::max();
    weir::ConsumerOptions consumer;
    consumer.request_timeout = 30s;
    restorer = std::make_unique<Restorer>(
        ThreadWorld{session->loop(), session->transport(), session->rng(), session->cluster(),
                    topology.graph(), made, *folder, nullptr,
                    [&](const std::string& name) { return session->runtime().make_worker(name); }},
        consumer, options);
    task = must(Task::open(only_task,
                           {topology.graph(), made, *must(folder->open(only_task)), outputs}, {}));
    restorer->restore(*task, {{{topic, 0}, records}}, std::move(done));
  }));
  const auto took = std::chrono::steady_clock::now() - begin;
  std::printf(
      "restored %lld %lld %lld\n", static_cast<long long>(restorer->records()),
      static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()),
      static_cast<long long>(std::clock() / (CLOCKS_PER_SEC / 1000)));
  std::fflush(stdout);
  session->destroy(restorer, task);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) stop("see the top of its source");
  const std::string mode = argv[1];
  const std::int64_t records = std::strtoll(argv[4], nullptr, 10);
  if (mode == "fill") {
    fill(argv[2], argv[3], records);
    return 0;
  }
  if (argc < 6 || (mode != "runs" && mode != "batches")) stop("see the top of its source");
  restore(mode == "runs", argv[2], argv[3], records, argv[5]);
  return 0;
}
