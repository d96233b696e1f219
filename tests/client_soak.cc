// Produces and consumes without a pause while a test does things to the cluster, for
// client_cluster_test.py.
//
//   client_soak BOOTSTRAP TOPIC plain|transactions RECORDS_PER_SECOND
//
// Each record's value is its number. Once a second a line "acknowledged N seen M" says how far it
// is. When its input ends it stops, waits until a member of its group has seen what was promised,
// reads everything once more, and prints one line of JSON with what was found.
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>
#include <weir/client.h>

#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "probe.h"

namespace {

using namespace std::chrono_literals;
using weir::tests::must;
using Clock = std::chrono::steady_clock;

constexpr int transaction_records = 5;
constexpr int aborted_one_in = 7;
constexpr int keys = 97;
constexpr auto group_deadline = 90s;

enum class Fate : std::uint8_t { sent, acknowledged, refused, aborted };

/// What is known of each record, by its number.
class Ledger {
 public:
  int add() {
    const std::lock_guard lock(mutex_);
    fates_.push_back(Fate::sent);
    seen_.push_back(0);
    return static_cast<int>(fates_.size()) - 1;
  }
  void settle(int number, Fate fate) {
    const std::lock_guard lock(mutex_);
    auto& present = fates_[static_cast<std::size_t>(number)];
    acknowledged_ += fate == Fate::acknowledged && present != fate ? 1 : 0;
    present = fate;
  }
  void note_failure(const weir::Error& error) {
    const std::lock_guard lock(mutex_);
    if (failure_.empty())
      failure_ = fmt::format("{}: {}", weir::name_of(error.code()), error.message());
  }
  void see(std::string_view value) {
    int number = -1;
    std::from_chars(value.data(), value.data() + value.size(), number);
    const std::lock_guard lock(mutex_);
    if (number >= 0 && static_cast<std::size_t>(number) < seen_.size())
      ++seen_[static_cast<std::size_t>(number)];
  }
  bool all_seen() const {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < fates_.size(); ++i)
      if (fates_[i] == Fate::acknowledged && seen_[i] == 0) return false;
    return true;
  }
  std::pair<int, int> progress() const {
    const std::lock_guard lock(mutex_);
    int seen = 0;
    for (const auto times : seen_) seen += times > 0 ? 1 : 0;
    return {acknowledged_, seen};
  }

  mutable std::mutex mutex_;
  std::vector<Fate> fates_;
  std::vector<std::uint32_t> seen_;  // by the group
  std::string failure_;              // the first
  int acknowledged_ = 0;
};

/// Nobody wakes it.
void pause_until(Clock::time_point when) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable never;
  while (never.wait_until(lock, when) != std::cv_status::timeout) {
  }
}

std::string key_of(int number) { return std::to_string(number % keys); }

/// One record, or one transaction, after the other, at a rate.
class Writer {
 public:
  Writer(weir::Client& client, std::string topic, bool transactions, int rate, Ledger& ledger)
      : client_(client),
        topic_(std::move(topic)),
        transactions_(transactions),
        pause_(1'000'000'000LL * (transactions ? transaction_records : 1) / rate),
        ledger_(ledger) {}

  void run(const std::atomic<bool>& ending) {
    transactions_ ? run_transactions(ending) : run_plain(ending);
  }

 private:
  void wait() {
    due_ += pause_;
    pause_until(due_);
  }

  void run_plain(const std::atomic<bool>& ending) {
    auto producer = must("producer", client_.producer({.linger = 2ms}));
    while (!ending) {
      const int number = ledger_.add();
      auto sent = producer.send(record(number), [this, number](const auto& r) {
        if (!r) ledger_.note_failure(r.error());
        ledger_.settle(number, r ? Fate::acknowledged : Fate::refused);
      });
      if (!sent) {
        ledger_.note_failure(sent.error());
        ledger_.settle(number, Fate::refused);
      }
      wait();
    }
    must("flush", producer.flush(120s));
  }

  void run_transactions(const std::atomic<bool>& ending) {
    auto producer = must("producer", client_.transactional_producer(topic_ + "-writer"));
    for (int turn = 0; !ending; ++turn) {
      std::vector<int> numbers;
      const bool aborts = turn % aborted_one_in == 0;
      const auto work = [&](weir::Transaction& tx) -> weir::Result<void> {
        for (int i = 0; i < transaction_records; ++i) {
          numbers.push_back(ledger_.add());
          if (auto sent = tx.send(record(numbers.back())); !sent) return sent;
        }
        if (aborts) return weir::fail(weir::Errc::invalid_argument, "on purpose");
        return {};
      };
      const auto done = producer.in_transaction(work, 120s);
      const bool on_purpose = !done && done.error().code() == weir::Errc::invalid_argument;
      if (!done && !on_purpose) ledger_.note_failure(done.error());
      for (const int number : numbers)
        if (done || on_purpose) ledger_.settle(number, done ? Fate::acknowledged : Fate::aborted);
      wait();
    }
  }

  weir::ProducerRecord record(int number) {
    value_ = std::to_string(number);
    key_ = key_of(number);
    return {.topic = topic_, .key = key_, .value = value_};
  }

  weir::Client& client_;
  const std::string topic_;
  const bool transactions_;
  const std::chrono::nanoseconds pause_;
  Ledger& ledger_;
  std::string key_;
  std::string value_;
  Clock::time_point due_ = Clock::now();
};

void read_as_member(weir::Client& client, const std::string& topic, bool committed, Ledger& ledger,
                    const std::atomic<bool>& ending) {
  auto consumer =
      must("member", client.consumer({.group = topic + "-group",
                                      .topics = {topic},
                                      .auto_offset_reset = weir::OffsetReset::earliest,
                                      .isolation = committed ? weir::Isolation::read_committed
                                                             : weir::Isolation::read_uncommitted,
                                      .auto_commit_interval = 200ms}));
  while (!ending) {
    const auto batches = consumer.poll(200ms);
    if (!batches) {
      ledger.note_failure(batches.error());
      continue;
    }
    for (const weir::Batch& batch : *batches)
      for (const weir::RecordView& record : batch) ledger.see(record.value().value_or(""));
  }
  (void)consumer.close(20s);
}

/// What stands in the topic in the end, held against the ledger.
class Verdict {
 public:
  explicit Verdict(const Ledger& ledger) : ledger_(ledger), times_(ledger.fates_.size()) {}

  void read(weir::Client& client, const std::string& topic, bool committed) {
    auto consumer = must(
        "reader", client.consumer({.auto_offset_reset = weir::OffsetReset::earliest,
                                   .isolation = committed ? weir::Isolation::read_committed
                                                          : weir::Isolation::read_uncommitted}));
    std::vector<weir::TopicPartition> all;
    const auto described = must("topic", client.admin().describe_topic(topic));
    for (const auto& row : described.partitions) all.push_back({topic, row.partition});
    must("assign", consumer.assign(all));
    const auto ends = must("ends", consumer.end_offsets(all, 60s));
    const auto reached = [&] {
      for (const auto& [partition, end] : ends)
        if (must("position", consumer.position(partition, 20s)) < end) return false;
      return true;
    };
    while (!reached())
      for (const weir::Batch& batch : must("poll", consumer.poll(20s)))
        for (const weir::RecordView& record : batch) note(record);
  }

  void print() const {
    int counts[4] = {};
    int lost = 0;
    int doubled = 0;
    int shown = 0;
    int unseen = 0;
    int again = 0;
    int torn = 0;
    for (std::size_t i = 0; i < times_.size(); ++i) {
      const Fate fate = ledger_.fates_[i];
      ++counts[static_cast<std::size_t>(fate)];
      lost += fate == Fate::acknowledged && times_[i] == 0 ? 1 : 0;
      shown += (fate == Fate::aborted || fate == Fate::refused) && times_[i] > 0 ? 1 : 0;
      doubled += times_[i] > 1 ? 1 : 0;
      unseen += fate == Fate::acknowledged && ledger_.seen_[i] == 0 ? 1 : 0;
      again += ledger_.seen_[i] > 1 ? 1 : 0;
      // Of a transaction whose end nobody knows all is there, or nothing.
      const std::size_t first = i / transaction_records * transaction_records;
      torn += fate == Fate::sent && (times_[i] > 0) != (times_[first] > 0) ? 1 : 0;
    }
    fmt::print(
        "{{\"acknowledged\": {}, \"unknown\": {}, \"refused\": {}, \"aborted\": {}, \"lost\": {}, "
        "\"doubled\": {}, \"shown\": {}, \"torn\": {}, \"out_of_order\": {}, \"unseen\": {}, "
        "\"seen_again\": {}, \"failure\": \"{}\"}}\n",
        counts[1], counts[0], counts[2], counts[3], lost, doubled, shown, torn, out_of_order_,
        unseen, again, ledger_.failure_);
  }

 private:
  void note(const weir::RecordView& record) {
    const std::string_view value = record.value().value_or("");
    int number = -1;
    std::from_chars(value.data(), value.data() + value.size(), number);
    if (number < 0 || static_cast<std::size_t>(number) >= times_.size()) {
      ++out_of_order_;  // nobody sent it
      return;
    }
    ++times_[static_cast<std::size_t>(number)];
    int& last = last_of_key_[static_cast<std::size_t>(number % keys)];
    out_of_order_ += number < last ? 1 : 0;
    last = number;
  }

  const Ledger& ledger_;
  std::vector<std::uint32_t> times_;
  int last_of_key_[keys] = {};
  int out_of_order_ = 0;
};

void tell_until_input_ends(const Ledger& ledger) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  char byte = 0;
  while (::poll(&input, 1, 500) == 0 || ::read(STDIN_FILENO, &byte, 1) > 0) {
    const auto [acknowledged, seen] = ledger.progress();
    fmt::print("acknowledged {} seen {}\n", acknowledged, seen);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const std::string topic = argv[2];
  const bool transactions = std::string_view(argv[3]) == "transactions";
  const int rate = static_cast<int>(std::strtol(argv[4], nullptr, 10));
  auto client = must("connect", weir::Client::connect(argv[1], {.metadata_max_age = 10s}));
  Ledger ledger;
  std::atomic<bool> writer_ends{false};
  std::atomic<bool> member_ends{false};
  std::thread member([&] { read_as_member(client, topic, transactions, ledger, member_ends); });
  std::thread writer([&] { Writer(client, topic, transactions, rate, ledger).run(writer_ends); });
  tell_until_input_ends(ledger);
  writer_ends = true;
  writer.join();
  for (const auto end = Clock::now() + group_deadline; Clock::now() < end && !ledger.all_seen();)
    pause_until(Clock::now() + 50ms);
  member_ends = true;
  member.join();
  Verdict verdict(ledger);
  verdict.read(client, topic, transactions);
  verdict.print();
  return 0;
}
