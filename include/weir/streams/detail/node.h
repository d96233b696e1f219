// Nodes of a running task: each record is handed from node to node by plain calls.
//
// One set of nodes a task; they are copies of those that the topology holds. Threads: the task's.
#pragma once

#include <weir/streams/detail/store.h>
#include <weir/streams/types.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::streams {
inline namespace v1 {

class CustomStore;

namespace detail {

class Node;
struct NodeSpec;

/// Why a record went no further; counted by node.
enum class Drop : std::uint8_t {
  null_key,       // an operator by key
  null_value,     // an aggregate
  late,           // its window has closed
  stale,          // an answer to what a row was before
  bad_timestamp,  // negative, or so large that its window has no end
};

/// What of the record that is being processed every node may see.
struct Origin {
  const TopicPartition* partition = nullptr;  // absent in a punctuation
  std::int64_t offset = -1;
};

/// What a task is to its nodes.
class TaskContext {
 public:
  virtual ~TaskContext() = default;

  virtual KeyValueState& key_value_state(std::string_view store) = 0;
  virtual WindowState& window_state(std::string_view store) = 0;
  virtual TimedState& timed_state(std::string_view store) = 0;
  virtual OrderedState& ordered_state(std::string_view store) = 0;
  virtual GlobalState& global_state(std::string_view store) = 0;
  /// The task's one of that name, made and opened when it is first asked for; an error of it ends
  /// the task.
  virtual CustomStore& custom_store(std::string_view store) = 0;
  /// The time of an operator: a number that is committed with the offsets and comes back after a
  /// restart; -1 at first. The reference lives as long as the task.
  virtual std::int64_t& operator_time(const std::string& name) = 0;

  /// A function of the user has failed: throws what ends the task, or notes it and returns, by the
  /// topology's policy.
  virtual void failed(const Node& node, const Error& error) = 0;
  virtual void failed(const Node& node, std::exception_ptr thrown) = 0;
  /// Throws what ends the task, whatever the policy.
  virtual void must_end(const Node& node, const Error& error) = 0;
  /// A record cannot be decoded.
  virtual void undecodable(const Node& node, const Error& error) = 0;
  virtual void dropped(const Node& node, Drop why) = 0;

  /// What a sink writes. `hash_key` decides the partition (murmur2), `partition` overrules it.
  struct Output {
    std::string_view topic;
    std::optional<std::string_view> key = std::nullopt;
    std::optional<std::string_view> value = std::nullopt;
    std::int64_t timestamp_ms = 0;
    std::optional<std::string_view> hash_key = std::nullopt;
    std::optional<std::int32_t> partition = std::nullopt;
    std::span<const Header> headers = {};  // of the codecs; those of the record come before
  };
  virtual void send(const Node& sink, const Output& output) = 0;
  /// As Graph::passes_null_keys().
  virtual bool passes_null_keys(std::size_t repartition) const = 0;
  /// As Graph::old_is_wanted().
  virtual bool old_is_wanted(const Node& node) const = 0;
  /// How many partitions a topic has that the topology writes to.
  virtual std::int32_t partitions_of(std::string_view topic) = 0;

  /// Of the inputs that it has.
  virtual std::int32_t partition() const = 0;

  virtual const Origin& origin() const = 0;
  /// Of the record that is processed, none in a punctuation; behind them those that were added.
  virtual std::vector<Header> headers() const = 0;
  /// From now on sinks write these too, behind the others; gives how many were added before.
  virtual std::size_t add_headers(std::span<const Header> added) = 0;
  /// Of those that were added the first `count` stay.
  virtual void keep_added_headers(std::size_t count) = 0;

  /// Those that a sink would write now, as bytes for with_headers().
  virtual void append_headers(std::string& out) const = 0;
  /// What sinks write within `call` has the headers `saved` instead of the record's.
  virtual void with_headers(std::string_view saved, const std::function<void()>& call) = 0;

  /// The time of what a processor works on; gives what it was.
  virtual std::int64_t exchange_time_ms(std::int64_t time) = 0;
  virtual std::int64_t time_ms() const = 0;
  virtual std::int64_t stream_time_ms() const = 0;
  /// `call` is called on the task's thread, with the time.
  virtual void schedule(const Node& node, std::int64_t interval_ms, Punctuation kind,
                        std::function<void(std::int64_t)> call) = 0;
};

/// What a store throws for a key that its codec does not take; an error of the node that asked.
std::runtime_error bad_key(const Error& why);
template <class K, class V, class KOut, class VOut>
class ProcessNode;

/// One of a topology's, or a task's copy of it.
class Node {
 public:
  virtual ~Node() = default;
  virtual std::unique_ptr<Node> clone() const = 0;
  /// `child` takes what this node gives; whoever builds the graph has seen to that.
  virtual void add_child(Node& child) = 0;
  /// Before the first record, when state is restored; the task outlives its nodes.
  void open(TaskContext& task, const NodeSpec& spec) {
    task_ = &task;
    spec_ = &spec;
    on_open();
  }
  const NodeSpec& spec() const { return *spec_; }

 protected:
  Node() = default;
  Node(const Node&) = default;
  virtual void on_open() {}
  TaskContext& task() const { return *task_; }

  /// What a function of the user gives: a bool (whether it went well) for void and Result<void>,
  /// else an optional of its value. What it throws or returns as an error is the task's to judge.
  template <class Fn, class... Args>
  auto call(Fn& fn, Args&&... args) const;

 private:
  TaskContext* task_ = nullptr;
  const NodeSpec* spec_ = nullptr;
};

/// Takes records of one type. `key` and `value` live for the length of the call.
template <class K, class V>
class Receiver : public Node {
 public:
  virtual void receive(const K& key, const V& value, std::int64_t timestamp_ms) = 0;
};

/// The children of a node that gives records of one type, in the order in which they were added.
template <class K, class V>
class Children {
 public:
  Children() = default;
  Children(const Children&) {}  // a copied node has no children yet
  void add(Node& child) { receivers_.push_back(static_cast<Receiver<K, V>*>(&child)); }
  void give(const K& key, const V& value, std::int64_t timestamp_ms) const {
    for (Receiver<K, V>* child : receivers_) child->receive(key, value, timestamp_ms);
  }
  bool empty() const { return receivers_.empty(); }

 private:
  std::vector<Receiver<K, V>*> receivers_;
};

/// A node between others: `Self` is copied for each task.
template <class Self, class K, class V, class KeyOut, class ValueOut>
class Operator : public Receiver<K, V> {
  friend Self;
  Operator() = default;

 public:
  std::unique_ptr<Node> clone() const override {
    return std::make_unique<Self>(static_cast<const Self&>(*this));
  }
  void add_child(Node& child) override { children_.add(child); }

 protected:
  void give(const KeyOut& key, const ValueOut& value, std::int64_t timestamp_ms) const {
    children_.give(key, value, timestamp_ms);
  }

 private:
  Children<KeyOut, ValueOut> children_;
};

template <class T>
struct Answer {
  using type = std::optional<T>;
};
template <>
struct Answer<void> {
  using type = bool;
};
template <class T>
struct Answer<Result<T>> : Answer<T> {};
template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<Result<T>> = true;

template <class Fn, class... Args>
auto Node::call(Fn& fn, Args&&... args) const {
  using Returned = std::invoke_result_t<Fn&, Args...>;
  typename Answer<std::decay_t<Returned>>::type answer{};
  std::optional<Error> error;
  try {
    if constexpr (std::is_void_v<Returned>) {
      fn(std::forward<Args>(args)...);
      answer = true;
    } else if constexpr (is_result<std::decay_t<Returned>>) {
      auto result = fn(std::forward<Args>(args)...);
      if (!result)
        error = std::move(result.error());
      else if constexpr (std::is_same_v<decltype(answer), bool>)
        answer = true;
      else
        answer = std::move(*result);
    } else {
      answer.emplace(fn(std::forward<Args>(args)...));
    }
  } catch (...) {
    task_->failed(*this, std::current_exception());
  }
  if (error) task_->failed(*this, *error);
  return answer;
}

/// Functions of the user take the value, or the key and the value.
template <class Fn, class K, class V>
concept OfKeyAndValue = std::is_invocable_v<Fn&, const K&, const V&>;
template <class Fn, class K, class V>
concept OfValue = std::is_invocable_v<Fn&, const V&>;
template <class Fn, class K, class V>
concept OfRecord = OfKeyAndValue<Fn, K, V> || OfValue<Fn, K, V>;

/// A function of a record, whichever way it takes it.
template <class Fn, class K, class V>
  requires OfRecord<Fn, K, V>
struct ByRecord {
  Fn fn;
  decltype(auto) operator()(const K& key, const V& value) {
    if constexpr (OfKeyAndValue<Fn, K, V>)
      return fn(key, value);
    else
      return fn(value);
  }
};
template <class Fn, class K, class V>
using Returned = std::decay_t<std::invoke_result_t<ByRecord<Fn, K, V>&, const K&, const V&>>;
/// What is left of Result<T>.
template <class T>
struct ValueOf {
  using type = T;
};
template <class T>
struct ValueOf<Result<T>> {
  using type = T;
};
template <class Fn, class K, class V>
using Gives = typename ValueOf<Returned<Fn, K, V>>::type;

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
