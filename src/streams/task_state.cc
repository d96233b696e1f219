#include "streams/task_state.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "base/bytes.h"
#include "base/check.h"
#include "base/mutant.h"
#include "streams/key_value_state.h"
#include "streams/limits.h"
#include "streams/ordered_state.h"
#include "streams/timed_state.h"
#include "streams/window_state.h"

namespace weir::streams {
namespace {

constexpr std::uint16_t known_number = 0;
constexpr std::size_t number_bytes = sizeof(std::uint16_t);

std::string prefix_of(std::uint16_t number) {
  std::string out;
  append_be<std::uint16_t>(out, number);
  return out;
}

/// Key of what is known about the stores.
std::string known_key(char kind, std::string_view name) {
  return prefix_of(known_number).append(1, kind).append(name);
}

constexpr std::size_t offset_bytes = sizeof(std::int64_t);
constexpr std::size_t known_bytes = offset_bytes + sizeof(Uuid::bytes);

}  // namespace

TaskState::TaskState(const detail::Graph& graph, state::Database& database)
    : graph_(graph), database_(database) {}
TaskState::~TaskState() = default;

Result<std::unique_ptr<TaskState>> TaskState::open(const detail::Graph& graph,
                                                   const std::vector<std::string>& stores,
                                                   state::Database& database) {
  std::unique_ptr<TaskState> out(new TaskState(graph, database));
  if (auto read = out->read_known(); !read) return fail(read.error());
  for (const std::string& store : stores)
    if (auto opened = out->open_store(store); !opened) return fail(opened.error());
  return out;
}

Result<void> TaskState::read_known() {
  const auto corrupt = [](std::string_view what) {
    return fail(Errc::damaged, "local state: " + std::string(what) +
                                   " cannot be read; remove the folder of this task, it is "
                                   "restored from the changelogs");
  };
  const state::PrefixRange known(prefix_of(known_number));
  const auto cursor = database_.scan(known.range());
  for (; cursor->valid(); cursor->next()) {
    std::string_view key = cursor->key().substr(number_bytes);
    if (key.empty()) return corrupt("an entry without a name");
    const char kind = key.front();
    key.remove_prefix(1);
    const std::string_view value = cursor->value();
    if (value.size() != (kind == 's' ? sizeof(std::uint16_t) : known_bytes)) return corrupt(key);
    switch (kind) {
      case 's': numbers_[std::string(key)] = load_be<std::uint16_t>(value.data()); break;
      case 'c':
      case 'q': {
        Known& of_store = known_[std::string(key)];
        of_store.offset = load_be<std::int64_t>(value.data());
        std::ranges::copy(value.substr(offset_bytes), of_store.topic.bytes.begin());
        break;
      }
      default: return corrupt(key);
    }
  }
  return cursor->status();
}

Result<std::uint16_t> TaskState::number_of(const std::string& name) {
  if (const auto known = numbers_.find(name); known != numbers_.end()) return known->second;
  std::uint16_t number = known_number;
  for (const auto& [other, taken] : numbers_) number = std::max(number, taken);
  if (number == std::numeric_limits<std::uint16_t>::max())
    return fail(Errc::limit_exceeded, "local state: no number is left for the store " + name);
  ++number;
  state::Batch batch;
  std::string bytes;
  append_be<std::uint16_t>(bytes, number);
  batch.put(known_key('s', name), bytes);
  if (auto written = database_.write(batch); !written) return fail(written.error());
  numbers_[name] = number;
  return number;
}

Result<void> TaskState::open_store(const std::string& name) {
  if (stores_.size() >= limits::stores)
    return fail(Errc::limit_exceeded,
                "a task has more than " + std::to_string(limits::stores) + " stores");
  const detail::StoreSpec* spec = graph_.find_store(name);
  check(spec != nullptr, "a task's stores are its graph's");
  const auto number = number_of(name);
  if (!number) return fail(number.error());
  stores_.emplace(name, make_store(*spec, prefix_of(*number)));
  return {};
}

std::map<std::string, std::string> TaskState::prefixes() const {
  std::map<std::string, std::string> out;
  for (const auto& [name, store] : stores_) out[name] = prefix_of(numbers_.at(name));
  return out;
}

TaskState::Store TaskState::make_store(const detail::StoreSpec& spec, std::string prefix) {
  Store out;
  const auto make = [&]<class Made>(auto*& as, std::type_identity<Made>) {
    auto made = std::make_unique<Made>(spec, std::move(prefix), database_);
    as = made.get();
    out.state = std::move(made);
  };
  switch (spec.kind) {
    case detail::StoreKind::key_value: make(out.key_value, std::type_identity<KeyedStore>()); break;
    case detail::StoreKind::window: make(out.window, std::type_identity<WindowStore>()); break;
    case detail::StoreKind::sliding:
    case detail::StoreKind::session:
    case detail::StoreKind::join:
    case detail::StoreKind::versions: make(out.timed, std::type_identity<TimedStore>()); break;
    case detail::StoreKind::waiting: make(out.ordered, std::type_identity<OrderedStore>()); break;
  }
  return out;
}

TaskState::Store& TaskState::find(std::string_view store) {
  const auto found = stores_.find(store);
  check(found != stores_.end(), "a node uses the stores of its spec");
  return found->second;
}

template <class State>
State& TaskState::of_kind(std::string_view store, State* Store::* kind) {
  State* found = find(store).*kind;
  check(found != nullptr, "a node takes a store for what it is");
  return *found;
}

detail::KeyValueState& TaskState::key_value(std::string_view store) {
  return of_kind(store, &Store::key_value);
}
detail::WindowState& TaskState::window(std::string_view store) {
  return of_kind(store, &Store::window);
}
detail::TimedState& TaskState::timed(std::string_view store) {
  return of_kind(store, &Store::timed);
}
detail::OrderedState& TaskState::ordered(std::string_view store) {
  return of_kind(store, &Store::ordered);
}

std::int64_t& TaskState::operator_time(const std::string& name) {
  std::int64_t& time = times_.try_emplace(name, -1).first->second;
  if (const auto restored = restored_times_.find(name); restored != restored_times_.end())
    time = std::max(time, restored->second);
  return time;
}

std::optional<std::int64_t> TaskState::changelog_offset(const std::string& store) const {
  const auto found = known_.find(store);
  return found == known_.end() ? std::nullopt : std::optional(found->second.offset);
}

std::int64_t TaskState::changelog_sum() const {
  std::int64_t sum = 0;
  for (const auto& [store, known] : known_)
    if (!is_copy(store)) sum += known.offset;
  return sum;
}

bool TaskState::is_copy(const std::string& store) const {
  const detail::StoreSpec* spec = graph_.find_store(store);
  return spec != nullptr && !spec->source_topic.empty();
}

std::string TaskState::offset_key(const std::string& store) const {
  return known_key(is_copy(store) ? 'q' : 'c', store);
}

Result<std::int64_t> stored_changelog_sum(const state::Database& database) {
  std::int64_t sum = 0;
  const state::PrefixRange offsets(known_key('c', ""));
  const auto cursor = database.scan(offsets.range());
  for (; cursor->valid(); cursor->next())
    if (cursor->value().size() == known_bytes) sum += load_be<std::int64_t>(cursor->value().data());
  if (auto read = cursor->status(); !read) return fail(read.error());
  return sum;
}

void TaskState::write_changes(const Log& log) {
  batch_.clear();
  for (auto& [name, store] : stores_)
    store.state->write_changes(
        [&, &store_name = name](const ChangelogRecord& record) { log(store_name, record); },
        batch_);
  if (mutant(Mutant::store_before_commit)) must(database_.write(batch_), "planted");
}

/// What is known of the store's changelog becomes a part of the batch.
void TaskState::note(const std::string& store) {
  const Known& known = known_[store];
  std::string bytes;
  append_be<std::int64_t>(bytes, known.offset);
  bytes.append(reinterpret_cast<const char*>(known.topic.bytes.data()), known.topic.bytes.size());
  batch_.put(offset_key(store), bytes);
}

Result<void> TaskState::committed(const std::map<std::string, std::int64_t>& changelogs) {
  for (const auto& [store, offset] : changelogs) {
    std::int64_t& known = known_[store].offset;
    known = std::max(known, offset);
    note(store);
  }
  if (auto written = database_.write(batch_); !written) return written;
  batch_.clear();
  for (auto& [name, store] : stores_) store.state->committed();
  return {};
}

Result<void> TaskState::restore(const std::string& store,
                                const std::vector<ChangelogRecord>& records,
                                std::int64_t next_offset) {
  batch_.clear();
  Store& into = find(store);
  std::string bytes;
  for (const ChangelogRecord& record : records) {
    into.latest_ms = std::max(into.latest_ms, record.timestamp_ms);
    const auto done =
        into.state->restore(record, [&](std::string_view key, std::int64_t timestamp_ms,
                                        std::optional<std::string_view> value) {
          if (!value) return batch_.remove(key);
          bytes.clear();
          append_stored(bytes, {timestamp_ms, *value});
          batch_.put(key, bytes);
        });
    if (!done) return done;
  }
  take_time(store, into.latest_ms);
  known_[store].offset = next_offset;
  note(store);
  if (auto written = database_.write(batch_); !written) return written;
  batch_.clear();
  return {};
}

/// No row's timestamp is beyond the time of the operator that wrote it, and the latest is that
/// time.
void TaskState::take_time(const std::string& store, std::int64_t latest_ms) {
  const detail::StoreSpec& spec = *graph_.find_store(store);
  if (!takes_times_ || spec.kind == detail::StoreKind::key_value ||
      spec.kind == detail::StoreKind::waiting)
    return;
  std::int64_t& time =
      restored_times_.try_emplace(detail::time_name(store, spec.by_time), -1).first->second;
  time = std::max(time, latest_ms);
}

Result<bool> TaskState::recognise(const std::string& store, Uuid topic,
                                  std::optional<std::int64_t> end) {
  const auto known = known_.find(store);
  if (known == known_.end()) {
    known_[store].topic = topic;
    return false;
  }
  // Brokers of an old version do not tell ids.
  const bool other =
      topic != Uuid() && known->second.topic != Uuid() && topic != known->second.topic;
  const bool beyond = end && known->second.offset > *end;
  if (topic != Uuid()) known->second.topic = topic;
  if (!other && !beyond) return false;
  if (auto wiped = wipe(store); !wiped) return fail(wiped.error());
  known_[store].topic = topic;
  return true;
}

Result<void> TaskState::gather(const std::string& store, const ChangelogRecord& record,
                               RestoreRun& run) {
  Store& into = find(store);
  into.latest_ms = std::max(into.latest_ms, record.timestamp_ms);
  return into.state->restore(
      record, [&](std::string_view key, std::int64_t timestamp_ms,
                  std::optional<std::string_view> value) { run.add(key, timestamp_ms, value); });
}

Result<void> TaskState::ingest(const std::string& store, RestoreRun& run) {
  const state::PrefixRange rows(prefix_of(numbers_.at(store)));
  return database_.ingest(rows.range(), run);
}

Result<void> TaskState::wipe(const std::string& store) {
  batch_.clear();
  const state::PrefixRange rows(prefix_of(numbers_.at(store)));
  batch_.remove(rows.range());
  batch_.remove(offset_key(store));
  if (auto written = database_.write(batch_); !written) return written;
  batch_.clear();
  known_.erase(store);
  return {};
}

void TaskState::settle() {
  for (auto& [name, store] : stores_) store.state->settle();
}

void TaskState::shrink_to(std::size_t bytes) {
  const std::size_t all = size_bytes();
  if (all <= bytes) return;
  const double part = static_cast<double>(bytes) / static_cast<double>(all);
  for (auto& [name, store] : stores_)
    store.state->shrink_to(
        static_cast<std::size_t>(part * static_cast<double>(store.state->size_bytes())));
}

bool TaskState::has_changes() const {
  return std::ranges::any_of(
      stores_, [](const auto& store) { return store.second.state->dirty_rows() > 0; });
}

std::size_t TaskState::size_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [name, store] : stores_) bytes += store.state->size_bytes();
  return bytes;
}

}  // namespace weir::streams
