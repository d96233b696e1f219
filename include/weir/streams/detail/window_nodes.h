// The nodes of aggregates by window: tumbling and hopping windows, sliding ones, sessions.
//
// Rules: Apache Kafka Streams 4.3.1. A node's time is the largest timestamp that has reached it; it
// moves on before a record is held against it.
#pragma once

#include <weir/streams/detail/nodes.h>
#include <weir/streams/detail/rows.h>
#include <weir/streams/windows.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// What late records are given to; a child of the windowed aggregate that stands for them.
template <class K, class V>
class LateNode : public Node {
 public:
  virtual void receive_late(const K& key, const Late<V>& late, std::int64_t timestamp_ms) = 0;
};
template <class K, class V>
class LateRecords final : public LateNode<K, V> {
 public:
  std::unique_ptr<Node> clone() const override { return std::make_unique<LateRecords>(*this); }
  void add_child(Node& child) override { children_.add(child); }
  void receive_late(const K& key, const Late<V>& late, std::int64_t timestamp_ms) override {
    children_.give(key, late, timestamp_ms);
  }

 private:
  Children<K, Late<V>> children_;
};

/// What aggregates by window are made of. `Update` makes the next state of a window: `void` or
/// `Result<void>` of (const Bare<K>&, std::optional<A>&, const V&).
template <class K, class A, class Update>
struct WindowParts {
  std::string store;
  const Codec<Bare<K>>* key;
  std::optional<A> initial;
  Update update;
  Emit emit = Emit::on_update;
};

/// What they have in common: keys, times, those who are told.
template <class K, class V, class A, class Update>
class WindowedOperator : public Receiver<K, V> {
 public:
  using Key = Bare<K>;
  void add_child(Node& child) override {
    if (auto* late = dynamic_cast<LateNode<K, V>*>(&child))
      late_ = late;
    else
      children_.add(child);
  }

 protected:
  using Parts = WindowParts<K, A, Update>;
  explicit WindowedOperator(Parts parts) : parts_(std::move(parts)), key_(parts_.key) {}
  WindowedOperator(const WindowedOperator& other)
      : Receiver<K, V>(other), parts_(other.parts_), key_(other.parts_.key) {}

  void on_open() override {
    const std::string& name = this->spec().name;
    time_ = &this->task().operator_time(time_name(name, on_close()));
    if (on_close()) emitted_ = &this->task().operator_time(name);
    open_state(parts_.store);
  }
  virtual void open_state(const std::string& store) = 0;

  bool on_close() const { return parts_.emit == Emit::on_close; }
  /// The key and its bytes; false: it was dropped.
  bool take_key(const K& maybe_key, const Key*& key, std::string_view& bytes) {
    key = present(maybe_key);
    if (key == nullptr) {
      this->task().dropped(*this, Drop::null_key);
      return false;
    }
    const auto encoded = key_.encode(*key);
    if (!encoded) {
      this->task().failed(*this, encoded.error());
      return false;
    }
    bytes = **encoded;
    return true;
  }
  void drop_late(const K& key, const V& value, const Window& window, std::int64_t timestamp_ms) {
    this->task().dropped(*this, Drop::late);
    if (late_ != nullptr)
      late_->receive_late(key, {.value = value, .window = window, .stream_time_ms = *time_},
                          timestamp_ms);
  }
  void tell(const Key& key, const Window& window, const Change<A>& change,
            std::int64_t timestamp_ms) const {
    if (!on_close() && !children_.empty()) children_.give({key, window}, change, timestamp_ms);
  }
  void tell_closed(std::string_view bytes, const Window& window, const void* value,
                   std::int64_t timestamp_ms) {
    auto key = parts_.key->decode(bytes);
    if (!key) return this->task().failed(*this, key.error());
    children_.give({*std::move(key), window}, {.now = static_cast<const A*>(value)}, timestamp_ms);
  }

  Parts parts_;
  std::int64_t* time_ = nullptr;
  std::int64_t* emitted_ = nullptr;

 private:
  Encoder<Key> key_;
  Children<Windowed<Key>, Change<A>> children_;
  LateNode<K, V>* late_ = nullptr;
};

/// Tumbling and hopping windows.
template <class K, class V, class A, class Update>
class WindowAggregate final : public WindowedOperator<K, V, A, Update> {
  using Base = WindowedOperator<K, V, A, Update>;
  using Key = typename Base::Key;

 public:
  WindowAggregate(TimeWindows windows, typename Base::Parts parts)
      : Base(std::move(parts)), windows_(windows) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<WindowAggregate>(*this); }

  void receive(const K& maybe_key, const V& value, std::int64_t timestamp_ms) override {
    const Key* key = nullptr;
    std::string_view bytes;
    if (!this->take_key(maybe_key, key, bytes)) return;
    if (timestamp_ms > windows_.latest_ms())
      return this->task().dropped(*this, Drop::bad_timestamp);
    std::int64_t& time = *this->time_;
    time = std::max(time, timestamp_ms);
    const std::int64_t closed = time - windows_.grace_ms();  // windows that end by then
    for (std::int64_t start = windows_.first_start(timestamp_ms); start <= timestamp_ms;
         start += windows_.advance_ms()) {
      const Window window{start, start + windows_.size_ms()};
      if (window.end_ms <= closed)
        this->drop_late(maybe_key, value, window, timestamp_ms);
      else
        update(*key, bytes, value, window, timestamp_ms);
    }
    if (this->on_close() && closed > *this->emitted_) emit_closed(closed);
    // Whatever may start now, so long is kept: other streams may write to these windows too.
    state_->expire_before(windows_.last_start(time) - windows_.retention_ms() + 1);
  }

 private:
  void open_state(const std::string& store) override { state_ = &this->task().window_state(store); }

  void update(const Key& key, std::string_view bytes, const V& value, const Window& window,
              std::int64_t timestamp_ms) {
    Row& row = state_->row(window.start_ms, bytes);
    A* before = static_cast<A*>(state_->value(row));
    std::optional<A> next = before != nullptr ? std::optional<A>(*before) : this->parts_.initial;
    if (!this->call(this->parts_.update, key, next, value)) return;
    if (before != nullptr) timestamp_ms = std::max(timestamp_ms, state_->timestamp_ms(row));
    this->tell(key, window, replace(*state_, row, next, timestamp_ms), timestamp_ms);
  }

  void emit_closed(std::int64_t closed) {
    std::int64_t& emitted = *this->emitted_;
    // (emitted, closed] of ends.
    const std::int64_t from = std::max<std::int64_t>(0, emitted - windows_.size_ms() + 1);
    const std::int64_t to = closed - windows_.size_ms() + 1;
    if (from < to)
      state_->for_each(from, to,
                       [&](std::int64_t start, std::string_view bytes, const void* value,
                           std::int64_t timestamp) {
                         this->tell_closed(bytes, {start, start + windows_.size_ms()}, value,
                                           timestamp);
                         return true;
                       });
    emitted = closed;
  }

  TimeWindows windows_;
  WindowState* state_ = nullptr;
};

/// Sliding windows: one for every set of records that lie no further apart than the difference. A
/// record has a window that ends with it, and one that begins behind it if there is anything later;
/// a window's timestamp is that of its latest record, which is how those without a window of their
/// own are known. `Update` is given values that are there.
template <class K, class V, class A, class Update>
class SlidingAggregate final : public WindowedOperator<K, V, A, Update> {
  using Base = WindowedOperator<K, V, A, Update>;
  using Key = typename Base::Key;
  using Value = Bare<V>;

 public:
  SlidingAggregate(SlidingWindows windows, typename Base::Parts parts)
      : Base(std::move(parts)), windows_(windows) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<SlidingAggregate>(*this); }

  void receive(const K& maybe_key, const V& maybe_value, std::int64_t timestamp_ms) override {
    Work work{.maybe_key = maybe_key, .maybe_value = maybe_value, .at = timestamp_ms};
    if (!this->take_key(maybe_key, work.key, work.bytes)) return;
    work.value = present(maybe_value);
    if (work.value == nullptr) return this->task().dropped(*this, Drop::null_value);
    if (timestamp_ms > windows_.latest_ms())
      return this->task().dropped(*this, Drop::bad_timestamp);
    std::int64_t& time = *this->time_;
    time = std::max(time, timestamp_ms);
    work.closed = time - windows_.grace_ms();
    const std::int64_t d = windows_.difference_ms();
    if (timestamp_ms + d < work.closed)
      return this->drop_late(maybe_key, maybe_value,
                             {std::max<std::int64_t>(0, timestamp_ms - d), timestamp_ms},
                             timestamp_ms);
    work.rows = &state_->key(work.bytes);
    if (timestamp_ms < d)
      take_early(work);
    else
      take(work);
    if (this->on_close() && work.closed > *this->emitted_) emit_closed(work.closed);
    // A record that is still taken begins its own window so much before the time.
    state_->expire_before(time - d - windows_.retention_ms() + 1);
  }

 private:
  /// A record, and what is found out about it.
  struct Work {
    const K& maybe_key;
    const V& maybe_value;
    std::int64_t at = 0;
    const Key* key = nullptr;
    std::string_view bytes = {};
    const Value* value = nullptr;
    std::int64_t closed = 0;  // windows that end below
    TimedKey* rows = nullptr;
    /// The latest record before this one.
    std::optional<std::int64_t> previous = std::nullopt;
    /// Whether the window that begins behind the record is there; else what it is made of, if
    /// anything is later than the record.
    bool has_right = false;
    std::optional<A> right = std::nullopt;
    std::int64_t right_timestamp = -1;
  };

  void open_state(const std::string& store) override { state_ = &this->task().timed_state(store); }

  /// Windows that start in [from, to], until the next call.
  const TimedRows& between(const Work& work, std::int64_t from, std::int64_t to) {
    const TimedRows& rows = work.rows->rows();
    const auto at = [&](std::int64_t ms) {
      return rows.begin() + static_cast<std::ptrdiff_t>(work.rows->first_at(ms));
    };
    found_.assign(at(std::max<std::int64_t>(0, from)), at(to + 1));
    return found_;
  }
  static bool has_start(const TimedRows& rows, std::int64_t start) {
    return std::ranges::any_of(rows, [&](const TimedRow* row) { return row->at_ms == start; });
  }
  static std::optional<A> value_of(const TimedRow& row) {
    return *static_cast<const A*>(row.value);
  }

  void take(Work& work) {
    const std::int64_t d = windows_.difference_ms();
    const TimedRows& rows = between(work, work.at - 2 * d, work.at + 1);
    bool has_left = false;
    std::optional<A> left;
    for (auto at = rows.rbegin(); at != rows.rend(); ++at) {
      TimedRow& row = **at;
      const std::int64_t end = row.at_ms + d;
      const std::int64_t latest = row.timestamp_ms;
      if (row.at_ms == work.at + 1) {
        work.has_right = true;
      } else if (end > work.at) {
        note_right(work, row);
        add(work, &row, row.at_ms, value_of(row), latest);
      } else if (end == work.at) {
        has_left = true;
        if (latest < work.at) work.previous = latest;
        add(work, &row, row.at_ms, value_of(row), latest);
      } else {
        left = value_of(row);
        work.previous = latest;
        break;
      }
    }
    if (work.previous && *work.previous + 1 + d >= work.at) add_right_of_previous(work, rows);
    if (!has_left) {
      const bool joins = work.previous && *work.previous >= work.at - d;
      add(work, nullptr, work.at - d, joins ? left : this->parts_.initial, work.at);
    }
    add_right(work);
  }

  /// A record so early that the window which ends with it would begin below 0: there is one window
  /// from 0 on for all of them.
  void take_early(Work& work) {
    const TimedRows& rows = between(work, 0, work.at + 1);
    TimedRow* combined = nullptr;
    for (TimedRow* row : rows) {
      if (row->at_ms == 0) {
        combined = row;
        if (row->timestamp_ms < work.at) work.previous = row->timestamp_ms;
      } else if (row->at_ms <= work.at) {
        work.right.reset();
        note_right(work, *row);
        add(work, row, row->at_ms, value_of(*row), row->timestamp_ms);
      } else {
        work.has_right = true;
      }
    }
    if (combined != nullptr) note_right(work, *combined);
    add_right(work);
    if (work.previous) add_right_of_previous(work, rows);
    if (combined != nullptr)
      add(work, combined, 0, value_of(*combined), combined->timestamp_ms);
    else
      add(work, nullptr, 0, this->parts_.initial, work.at);
  }

  /// Of the windows that have the record, the one that starts last says what is later than it.
  void note_right(Work& work, const TimedRow& row) const {
    if (work.has_right || work.right || row.timestamp_ms <= work.at) return;
    work.right = value_of(row);
    work.right_timestamp = row.timestamp_ms;
  }
  void add_right(Work& work) {
    if (work.has_right || !work.right) return;
    const Window window{work.at + 1, work.at + 1 + windows_.difference_ms()};
    const auto change = replace<A>(*state_, *work.rows, nullptr, window.start_ms, 0, work.right,
                                   work.right_timestamp);
    this->tell(*work.key, window, change, work.right_timestamp);
  }
  void add_right_of_previous(Work& work, const TimedRows& rows) {
    if (!has_start(rows, *work.previous + 1))
      add(work, nullptr, *work.previous + 1, this->parts_.initial, work.at);
  }

  /// The record comes into a window, which was `from` before.
  void add(Work& work, TimedRow* row, std::int64_t start, std::optional<A> from,
           std::int64_t latest) {
    const Window window{start, start + windows_.difference_ms()};
    if (window.end_ms < work.closed)
      return this->drop_late(work.maybe_key, work.maybe_value, window, work.at);
    if (!this->call(this->parts_.update, *work.key, from, *work.value)) return;
    const std::int64_t timestamp = std::max(latest, work.at);
    const auto change = replace<A>(*state_, *work.rows, row, start, 0, from, timestamp);
    this->tell(*work.key, window, change, timestamp);
  }

  void emit_closed(std::int64_t closed) {
    const std::int64_t d = windows_.difference_ms();
    // [emitted, closed) of ends.
    state_->for_each_by_time(std::max<std::int64_t>(0, *this->emitted_ - d), closed - d,
                             [&](std::string_view bytes, const TimedRow& row) {
                               this->tell_closed(bytes, {row.at_ms, row.at_ms + d}, row.value,
                                                 row.timestamp_ms);
                               return true;
                             });
    *this->emitted_ = closed;
  }

  SlidingWindows windows_;
  TimedState* state_ = nullptr;
  TimedRows found_;  // of the record that is processed
};

/// Sessions: a record and those sessions that it comes within the gap of become one. `Merge` adds a
/// session to what is there: `void` or `Result<void>` of (const Bare<K>&, std::optional<A>&, const
/// A&).
template <class K, class V, class A, class Update, class Merge>
class SessionAggregate final : public WindowedOperator<K, V, A, Update> {
  using Base = WindowedOperator<K, V, A, Update>;
  using Key = typename Base::Key;

 public:
  SessionAggregate(SessionWindows windows, typename Base::Parts parts, Merge merge)
      : Base(std::move(parts)), windows_(windows), merge_(std::move(merge)) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<SessionAggregate>(*this); }

  void receive(const K& maybe_key, const V& value, std::int64_t timestamp_ms) override {
    const Key* key = nullptr;
    std::string_view bytes;
    if (!this->take_key(maybe_key, key, bytes)) return;
    if (timestamp_ms > windows_.latest_ms())
      return this->task().dropped(*this, Drop::bad_timestamp);
    std::int64_t& time = *this->time_;
    // Of those that are closed but not told of yet none goes on.
    const std::int64_t open = time - windows_.retention_ms() + 1;
    time = std::max(time, timestamp_ms);
    const std::int64_t closed = time - windows_.grace_ms() - windows_.gap_ms();
    TimedKey& rows = state_->key(bytes);
    const TimedRows& found = near(rows, timestamp_ms, open);
    Window session{timestamp_ms, timestamp_ms};
    for (const TimedRow* row : found) {
      session.start_ms = std::min(session.start_ms, row->tie);
      session.end_ms = std::max(session.end_ms, row->at_ms);
    }
    if (session.end_ms < closed)
      this->drop_late(maybe_key, value, session, timestamp_ms);
    else
      update(*key, value, rows, found, session);
    if (this->on_close() && closed > *this->emitted_) emit_closed(closed);
    const std::int64_t expired = time - windows_.retention_ms() + 1;
    state_->expire_before(this->on_close() ? std::min(expired, closed) : expired);
  }

 private:
  void open_state(const std::string& store) override { state_ = &this->task().timed_state(store); }

  /// Sessions that a record at that time comes within the gap of, by end, until the next call.
  const TimedRows& near(const TimedKey& rows, std::int64_t timestamp_ms, std::int64_t open) {
    found_.clear();
    for (std::size_t i = rows.first_at(std::max(open, timestamp_ms - windows_.gap_ms()));
         i < rows.rows().size(); ++i)
      if (rows.rows()[i]->tie <= timestamp_ms + windows_.gap_ms()) found_.push_back(rows.rows()[i]);
    return found_;
  }

  void update(const Key& key, const V& value, TimedKey& rows, const TimedRows& found,
              const Window& session) {
    std::optional<A> next = this->parts_.initial;
    for (const TimedRow* row : found)
      if (!this->call(merge_, key, next, *static_cast<const A*>(row->value))) return;
    if (!this->call(this->parts_.update, key, next, value)) return;
    // One that lasts for a single moment, and goes on to, stays where it is.
    const bool stays = session.start_ms == session.end_ms && !found.empty();
    if (!stays)
      for (TimedRow* row : found) {
        state_->remove(rows, *row);
        this->tell(key, {row->tie, row->at_ms}, {.old = static_cast<const A*>(row->value)},
                   row->at_ms);
      }
    const auto change = replace<A>(*state_, rows, stays ? found.front() : nullptr, session.end_ms,
                                   session.start_ms, next, session.end_ms);
    this->tell(key, session, change, session.end_ms);
  }

  void emit_closed(std::int64_t closed) {
    // [emitted, closed) of ends.
    state_->for_each_by_time(std::max<std::int64_t>(0, *this->emitted_), closed,
                             [&](std::string_view bytes, const TimedRow& row) {
                               this->tell_closed(bytes, {row.tie, row.at_ms}, row.value, row.at_ms);
                               return true;
                             });
    *this->emitted_ = closed;
  }

  SessionWindows windows_;
  Merge merge_;
  TimedState* state_ = nullptr;
  TimedRows found_;  // of the record that is processed
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
