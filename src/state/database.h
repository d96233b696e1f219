// Database: the committed state of one stream task, a sorted map of bytes with atomic batches.
//
// It is a cache of changelog streams. Nothing uncommitted ever enters it: a task keeps its writes
// to itself until its commit is acknowledged and then hands them over in one batch, together with
// the offsets up to which the state is now true. So after any crash a database holds some committed
// past, and what is missing is read from the changelogs.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::state {

// keys    any bytes up to limits::key_bytes, ordered as unsigned bytes; one space for all stores of
//         the task, divided among them by prefixes (streams says how)
// values  any bytes up to limits::value_bytes

/// [from, to) of keys; an absent `to` is the end of all keys. A `to` that is not above `from` is no
/// error: the range holds nothing.
struct Range {
  std::string_view from;
  std::optional<std::string_view> to;
};

/// Everything that begins with `prefix`: [prefix, the next prefix of its length).
class PrefixRange {
 public:
  explicit PrefixRange(std::string_view prefix);
  Range range() const;

 private:
  std::string from_;
  std::optional<std::string> to_;
};

/// What becomes true at once. Later operations stand above earlier ones on the same key. Owns its
/// bytes; to be filled again after clear(), which keeps the memory. Threads: its owner's.
class Batch {
 public:
  void put(std::string_view key, std::string_view value);
  void remove(std::string_view key);
  /// All keys of the range as the batch finds them, earlier operations of the batch included.
  void remove(const Range& range);
  void clear();
  bool empty() const { return operations_.empty(); }
  std::size_t size() const { return operations_.size(); }
  /// Of keys and values.
  std::size_t size_bytes() const { return bytes_.size(); }
  /// The first operation that was above a limit, if one was: it is not in the batch, and write()
  /// refuses such a batch whole.
  const std::optional<Error>& fault() const { return fault_; }

  enum class Kind : std::uint8_t { put, remove, remove_range, remove_to_end };
  struct Operation {
    Kind kind = Kind::put;
    std::string_view key;    // the range's `from`
    std::string_view value;  // the range's `to`
  };
  /// In the order of the calls; the views live until the batch changes.
  void for_each(const std::function<void(const Operation&)>& visit) const;
  /// The same batch by key: between two ranges the operations on single keys come in the order of
  /// their keys, those on one key as they were called. What a sorted structure takes faster.
  void for_each_by_key(const std::function<void(const Operation&)>& visit) const;

 private:
  struct Place {
    Kind kind = Kind::put;
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
  };
  void add(Kind kind, std::string_view key, std::string_view value);
  std::vector<Place> operations_;
  std::string bytes_;
  std::optional<Error> fault_;
};

/// Walks a range as it stood when the cursor was made; writes after that are not seen. Its views
/// live until it moves. What it still sees is kept: not for long. Must not outlive its database.
/// Threads: one.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;
  /// Of a valid cursor.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual void next() = 0;
  /// Of an ascending one: on to the first entry at or behind `key`. One that stands there, or is
  /// not valid, stays.
  virtual void skip_to(std::string_view key) = 0;
  /// Why a cursor became invalid before its end: Errc::io_error, damaged, ….
  virtual Result<void> status() const = 0;
};

enum class Order : std::uint8_t { ascending, descending };

/// A sorted run of changes: it gives them out in ascending order of keys, each once.
class Run {
 public:
  virtual ~Run() = default;
  /// An absent value removes the key. False: it is over, and not called again. Views live until the
  /// next call.
  virtual bool next(std::string_view& key, std::optional<std::string_view>& value) = 0;
};

/// Threads: one writes; get, multi_get and cursors may be used by others at the same time, each of
/// them seeing whole batches.
class Database {
 public:
  virtual ~Database() = default;

  /// Whether `key` is there; then `value` is replaced.
  virtual Result<bool> get(std::string_view key, std::string& value) const = 0;
  /// As get() of each, of one moment; `found[i]` is absent where there is none. Cheaper than one by
  /// one. The two spans are of one size.
  virtual Result<void> multi_get(std::span<const std::string_view> keys,
                                 std::span<std::optional<std::string>> found) const = 0;
  virtual std::unique_ptr<Cursor> scan(const Range& range,
                                       Order order = Order::ascending) const = 0;

  /// All of it or nothing, also after a crash. Reads see it when this returns; whether it outlives
  /// a crash is known after flush(), and an earlier batch is never lost while a later one is there.
  /// Errc::message_too_large: see Batch::fault().
  virtual Result<void> write(const Batch& batch) = 0;
  /// Many changes within a range, sorted, above what is there; much cheaper than batches. All of
  /// them or none, also after a crash, but with no batch at once: what says that they are there is
  /// written before or behind. Whatever was written before outlives a crash that they outlive.
  /// Errc::invalid_argument: out of order or outside the range; message_too_large: a key or a value
  /// is. An error leaves the range as it was.
  virtual Result<void> ingest(const Range& range, Run& run) = 0;
  /// What was written and ingested before outlives a loss of power.
  virtual Result<void> flush() = 0;

  /// About what is kept: for people and metrics, not for decisions.
  struct Size {
    std::uint64_t entries = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t disk_bytes = 0;
  };
  virtual Size size() const = 0;
};

/// Forgets everything with the process. Threads: as Database; a reader waits while a batch is being
/// put in place, and no longer.
std::unique_ptr<Database> open_in_memory();

}  // namespace weir::state
