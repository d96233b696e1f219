// Processor: an operator of one's own, with stores, headers, and a clock.
#pragma once

#include <weir/streams/detail/nodes.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

//   class Deduplicate : public Processor<std::string, Order, std::string, Order> {
//     void open(Context& context) override {
//       seen_ = context.store<std::string, std::int64_t>("seen");
//       context.schedule(1min, Punctuation::stream_time, [this](Timestamp now) { forget(now); });
//     }
//     Result<void> process(const std::string& id, const Order& order, Context& context) override {
//       if (seen_.get(id)) return {};
//       seen_.put(id, context.stream_time().time_since_epoch().count());
//       context.forward(id, order);
//       return {};
//     }
//     ...
//   orders.process([] { return std::make_unique<Deduplicate>(); }, "deduplicate", {"seen"});
//
// One a task, made by the function that is given, on the task's thread.

namespace weir::streams {
inline namespace v1 {

/// A key-value store as a processor sees it: what it wrote before is there, and is committed with
/// the records. Values are copied out and in. Threads: the task's.
template <class K, class V>
class KeyValueStore {
 public:
  KeyValueStore() = default;
  std::optional<V> get(const K& key) {
    const void* value = state_->value(row(key));
    return value != nullptr ? std::optional<V>(*static_cast<const V*>(value)) : std::nullopt;
  }
  /// The value's time is the record's.
  void put(const K& key, V value) { state_->put(row(key), &value, task_->time_ms()); }
  void remove(const K& key) { state_->remove(row(key), task_->time_ms()); }
  /// All rows in the order of their keys' bytes, with what was written. False from `visit` (const
  /// K&, const V&) ends it; it must not write to this store.
  template <class Visit>
  void for_each(Visit visit) {
    state_->for_each({}, std::nullopt,
                     [&](std::string_view bytes, const void* value, std::int64_t) {
                       auto key = key_->decode(bytes);
                       if (!key) throw detail::bad_key(key.error());
                       return visit(std::as_const(*key), *static_cast<const V*>(value));
                     });
  }

 private:
  template <class, class>
  friend class ProcessorContext;
  KeyValueStore(detail::TaskContext& task, detail::KeyValueState& state, const Codec<K>* key)
      : task_(&task), state_(&state), key_(key) {}
  detail::Row& row(const K& key) {
    bytes_.clear();
    if (auto done = key_->encode(key, bytes_); !done) throw detail::bad_key(done.error());
    return state_->row(bytes_);
  }

  detail::TaskContext* task_ = nullptr;
  detail::KeyValueState* state_ = nullptr;
  const Codec<K>* key_ = nullptr;
  std::string bytes_;
};

/// What is kept of a CustomStore: rows of bytes, committed with the records, with a changelog.
/// Threads: the task's.
class StoreRows {
 public:
  StoreRows(detail::TaskContext& task, detail::KeyValueState& state)
      : task_(&task), state_(&state) {}
  std::optional<std::string> get(std::string_view key) {
    const void* value = state_->value(state_->row(key));
    return value != nullptr ? std::optional(*static_cast<const std::string*>(value)) : std::nullopt;
  }
  void put(std::string_view key, std::string value) {
    state_->put(state_->row(key), &value, task_->time_ms());
  }
  void remove(std::string_view key) { state_->remove(state_->row(key), task_->time_ms()); }
  /// In the order of the keys: `visit` (std::string_view key, std::string_view value) gives whether
  /// to go on; it must not write.
  template <class Visit>
  void for_each(Visit visit) {
    state_->for_each({}, std::nullopt, [&](std::string_view key, const void* value, std::int64_t) {
      return visit(key, std::string_view(*static_cast<const std::string*>(value)));
    });
  }

 private:
  detail::TaskContext* task_;
  detail::KeyValueState* state_;
};

/// A store of one's own kind: an index, a sketch, a heap. What it has in memory is its own
/// business; what must outlast the task it gives to its rows, which are committed with the records
/// that changed them, or not at all: then the task is made anew, and with it the store. One a task,
/// for all processors that name it. Threads: the task's.
///
///   class Top final : public CustomStore {
///    public:
///     Result<void> open(StoreRows rows) override {
///       rows_.emplace(rows);
///       rows_->for_each([&](auto key, auto value) { heap_.push(key, value); return true; });
///       return {};
///     }
///     ...
class CustomStore {
 public:
  virtual ~CustomStore() = default;
  /// Once, before the first record: `rows` has what was committed, and may be kept as long as the
  /// store lives. An error ends the application.
  virtual Result<void> open(StoreRows rows) = 0;
};

/// What a processor may ask and do; of its task.
template <class KOut, class VOut>
class ProcessorContext {
 public:
  /// To every child, before this returns. Absent `at`: the time of the record (of a punctuation,
  /// the time it was called with). `added` go behind the headers() of the record.
  void forward(const KOut& key, const VOut& value, std::optional<Timestamp> at = std::nullopt,
               std::span<const Header> added = {}) {
    const std::size_t before = task_->add_headers(added);
    children_->give(key, value, at ? at->time_since_epoch().count() : task_->time_ms());
    task_->keep_added_headers(before);
  }
  /// Of the record; in a punctuation its time.
  Timestamp timestamp() const { return at(task_->time_ms()); }
  /// The largest timestamp that the task has seen.
  Timestamp stream_time() const { return at(task_->stream_time_ms()); }
  /// Of the record, with those that processors before this one have added; none in a punctuation.
  /// What they borrow lives as long as the call.
  std::vector<Header> headers() const { return task_->headers(); }
  /// Where the record came from; nullptr in a punctuation.
  const TopicPartition* source() const { return task_->origin().partition; }
  std::int64_t offset() const { return task_->origin().offset; }

  /// One of the stores that were named with the processor, by the types it was added with.
  template <class K, class V>
  KeyValueStore<K, V> store(std::string_view name, const Codec<K>* key = default_codec<K>()) {
    return KeyValueStore<K, V>(*task_, task_->key_value_state(name), key);
  }
  /// One of Topology::add_custom_store(), by its type. Lives as long as the processor. Throws
  /// std::bad_cast: it is of another one.
  template <class Store>
  Store& custom_store(std::string_view name) {
    return dynamic_cast<Store&>(task_->custom_store(name));
  }
  /// Calls `fn` with the time, again and again. By stream time: as soon as it has passed a multiple
  /// of `interval`, once however many were passed; the first time as soon as it is known. By the
  /// wall clock: about every `interval`; what then comes out depends on more than the input.
  void schedule(std::chrono::milliseconds interval, Punctuation kind,
                std::function<void(Timestamp)> fn) {
    task_->schedule(*node_, interval.count(), kind,
                    [fn = std::move(fn)](std::int64_t now) { fn(at(now)); });
  }

 private:
  template <class, class, class, class>
  friend class detail::ProcessNode;
  static Timestamp at(std::int64_t ms) { return Timestamp(std::chrono::milliseconds(ms)); }
  detail::TaskContext* task_ = nullptr;
  const detail::Node* node_ = nullptr;
  const detail::Children<KOut, VOut>* children_ = nullptr;
};

template <class K, class V, class KOut, class VOut>
class Processor {
 public:
  using Key = K;
  using Value = V;
  using KeyOut = KOut;
  using ValueOut = VOut;
  using Context = ProcessorContext<KOut, VOut>;
  virtual ~Processor() = default;
  /// Before the first record; its stores have what was committed. The context lives as long as the
  /// processor. What it throws ends the application.
  virtual void open(Context& context) { static_cast<void>(context); }
  /// An error, or what it throws, is dealt with by the topology's policy; what it wrote and gave on
  /// before stays.
  virtual Result<void> process(const K& key, const V& value, Context& context) = 0;
};

namespace detail {

template <class K, class V, class KOut, class VOut>
class ProcessNode final : public Receiver<K, V> {
 public:
  using Made = std::unique_ptr<Processor<K, V, KOut, VOut>>;
  explicit ProcessNode(std::function<Made()> make) : make_(std::move(make)) {}
  ProcessNode(const ProcessNode& other) : Receiver<K, V>(other), make_(other.make_) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<ProcessNode>(*this); }
  void add_child(Node& child) override { children_.add(child); }
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    const std::int64_t before = this->task().exchange_time_ms(timestamp_ms);
    auto process = [this](const K& k, const V& v) { return processor_->process(k, v, context_); };
    this->call(process, key, value);
    this->task().exchange_time_ms(before);
  }

 private:
  void on_open() override {
    context_.task_ = &this->task();
    context_.node_ = this;
    context_.children_ = &children_;
    processor_ = make_();
    processor_->open(context_);
  }

  std::function<Made()> make_;
  Children<KOut, VOut> children_;
  ProcessorContext<KOut, VOut> context_;
  Made processor_;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
