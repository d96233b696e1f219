// The stream `_schemas` on a Kafka cluster: read from its beginning on, appended to by transactions
// whose id fences every earlier writer.
#pragma once

#include <weir/client.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contract/readers.h"
#include "io/runtime.h"
#include "registry/record.h"

namespace weir::registry {

struct JournalOptions {
  std::string topic = "_schemas";
  std::string changes_topic = "_weir.schema-changes";
  std::string readers_topic{contract::readers_topic};
  /// Of topics that have to be made; -1: the brokers' default.
  std::int16_t replication_factor = -1;
  /// For one append, and for each question at the start.
  std::chrono::milliseconds timeout{30'000};
};

/// Told on the runtime's loop.
class JournalListener {
 public:
  virtual ~JournalListener() = default;
  /// Committed records in the order of their offsets; those of one commit may come in parts.
  virtual void on_records(std::vector<StreamRecord> records) = 0;
  /// Once: everything that was there at the start has come.
  virtual void on_caught_up() = 0;
  /// Records of the stream of readers, which may come at any time, or never: without that stream
  /// the registry does everything else.
  virtual void on_readers(const std::vector<StreamRecord>& records) = 0;
  /// Once: the stream cannot be used, and nothing more comes.
  virtual void on_unusable(Error why) = 0;
};

/// What blocks is done on two workers. Borrows runtime, client and listener. Threads: the loop's.
class Journal {
 public:
  using AppendDone = std::move_only_function<void(Result<std::int64_t>)>;

  Journal(io::Runtime& runtime, Client& client, JournalOptions options, JournalListener& listener);
  /// Waits for what the workers do, a second at most.
  ~Journal();

  /// Makes the topics if they are missing, and reads from the beginning on.
  void start();
  /// Writes all of it or nothing; gives the offset of the last of `records`. One at a time. After
  /// an error it is not known whether they are there: append something and read it back.
  void append(std::vector<Record> records, std::vector<Record> changes, AppendDone done);
  /// Whoever appended before this one is fenced from the next append on.
  void fence();

 private:
  struct State;
  void read_on();

  io::Runtime& runtime_;
  JournalListener& listener_;
  std::shared_ptr<State> state_;  // also of works under way
  std::unique_ptr<io::Worker> reader_;
  std::unique_ptr<io::Worker> writer_;
};

}  // namespace weir::registry
