#include "streams/readable_state.h"

#include <algorithm>
#include <set>

#include "kafka/partitioner.h"
#include "streams/stored_rows.h"

namespace weir::streams {
namespace {

/// The widest of the sources that a store's records come from.
std::int32_t partitions_of(const detail::Graph& graph, const Plan& plan, const std::string& store) {
  std::int32_t out = 1;
  std::set<detail::NodeIndex> seen;
  std::vector<detail::NodeIndex> open;
  for (detail::NodeIndex i = 0; i < graph.nodes().size(); ++i)
    if (std::ranges::find(graph.nodes()[i].stores, store) != graph.nodes()[i].stores.end() &&
        graph.nodes()[i].name == store)
      open.push_back(i);
  if (open.empty())  // a processor's: whoever uses it
    for (detail::NodeIndex i = 0; i < graph.nodes().size(); ++i)
      if (std::ranges::find(graph.nodes()[i].stores, store) != graph.nodes()[i].stores.end())
        open.push_back(i);
  while (!open.empty()) {
    const detail::NodeIndex at = open.back();
    open.pop_back();
    if (!seen.insert(at).second) continue;
    const detail::NodeSpec& node = graph.nodes()[at];
    if (node.role == detail::Role::source)
      if (const auto found = plan.partitions.find(topic_of(graph, node));
          found != plan.partitions.end())
        out = std::max(out, found->second);
    open.insert(open.end(), node.parents.begin(), node.parents.end());
  }
  return out;
}

std::string_view readable_as(detail::StoreKind kind) {
  using detail::StoreKind;
  switch (kind) {
    case StoreKind::key_value:
    case StoreKind::versions: return "a table";
    case StoreKind::window:
    case StoreKind::sliding:
    case StoreKind::session: return "windows";
    case StoreKind::join:
    case StoreKind::waiting: break;
  }
  return "";
}

/// One store, in whatever tasks.
class DividedAccess final : public detail::StateAccess {
 public:
  DividedAccess(std::shared_ptr<ReadableState> state, detail::StoreSpec spec,
                std::int32_t sub_topology, std::int32_t partitions)
      : state_(std::move(state)),
        spec_(std::move(spec)),
        sub_topology_(sub_topology),
        partitions_(partitions) {}
  bool has_versions() const override { return spec_.kind == detail::StoreKind::versions; }
  Result<std::vector<StatePart>> parts() const override { return state_->parts(sub_topology_); }
  Result<StatePart> of_key(std::string_view key, std::optional<std::int32_t> partition,
                           const detail::TimeRange& at, const Visit& visit) const override {
    const std::int32_t in = partition ? *partition : kafka::partition_for_key(key, partitions_);
    const auto lease = state_->lease(spec_.name, {sub_topology_, in});
    if (!lease) return fail(lease.error());
    const StoredRows rows(spec_, lease->prefix(), lease->database());
    if (auto done = rows.of_key(key, at, visit); !done) return fail(std::move(done.error()));
    return lease->told();
  }
  Result<bool> all(std::int32_t partition, const detail::KeyRange& keys,
                   const detail::TimeRange& at, const Visit& visit) const override {
    const auto lease = state_->lease(spec_.name, {sub_topology_, partition});
    if (!lease) return fail(lease.error());
    return StoredRows(spec_, lease->prefix(), lease->database()).all(keys, at, visit);
  }

 private:
  const std::shared_ptr<ReadableState> state_;
  const detail::StoreSpec spec_;
  const std::int32_t sub_topology_;
  const std::int32_t partitions_;
};

class GlobalAccess final : public detail::StateAccess {
 public:
  GlobalAccess(std::shared_ptr<ReadableState> state, detail::StoreSpec spec)
      : state_(std::move(state)), spec_(std::move(spec)) {}
  bool has_versions() const override { return false; }
  Result<std::vector<StatePart>> parts() const override { return state_->global_parts(spec_.name); }
  Result<StatePart> of_key(std::string_view key, std::optional<std::int32_t>,
                           const detail::TimeRange& at, const Visit& visit) const override {
    const auto lease = state_->lease_global(spec_.name);
    if (!lease) return fail(lease.error());
    const StoredRows rows(spec_, lease->prefix(), lease->database());
    if (auto done = rows.of_key(key, at, visit); !done) return fail(std::move(done.error()));
    return lease->told();
  }
  Result<bool> all(std::int32_t, const detail::KeyRange& keys, const detail::TimeRange& at,
                   const Visit& visit) const override {
    const auto lease = state_->lease_global(spec_.name);
    if (!lease) return fail(lease.error());
    return StoredRows(spec_, lease->prefix(), lease->database()).all(keys, at, visit);
  }

 private:
  const std::shared_ptr<ReadableState> state_;
  const detail::StoreSpec spec_;
};

}  // namespace

ReadableState::ReadableState(const detail::Graph& graph, const Plan& plan) {
  for (const detail::StoreSpec& spec : graph.stores())
    if (spec.is_global) stores_[spec.name] = {.spec = spec};
  for (const SubTopology& sub : plan.sub_topologies)
    for (const std::string& store : sub.stores)
      stores_[store] = {.spec = *graph.find_store(store),
                        .sub_topology = sub.id,
                        .partitions = partitions_of(graph, plan, store)};
}

Result<std::shared_ptr<const detail::StateAccess>> ReadableState::access(std::string_view store,
                                                                         detail::Readable kind) {
  const std::string name(store);
  const auto found = stores_.find(store);
  if (found == stores_.end())
    return fail(Errc::not_found, name.empty()
                                     ? "a table that is not kept cannot be read: materialise it"
                                     : name + ": the topology has no such store");
  const Known& known = found->second;
  const std::string_view is = readable_as(known.spec.kind);
  const std::string_view wanted = kind == detail::Readable::windows ? "windows" : "a table";
  if (is != wanted)
    return fail(Errc::invalid_argument, name + ": its rows are " +
                                            (is.empty() ? "the operator's own" : std::string(is)) +
                                            ", they cannot be read as " + std::string(wanted));
  if (known.spec.is_global)
    return std::make_shared<const GlobalAccess>(shared_from_this(), known.spec);
  return std::make_shared<const DividedAccess>(shared_from_this(), known.spec, known.sub_topology,
                                               known.partitions);
}

void ReadableState::publish(TaskId task, const state::Database& database,
                            std::map<std::string, std::string> prefixes,
                            const InputOffsets& inputs) {
  auto position = std::make_shared<const Position>(Position{inputs});
  const std::lock_guard lock(mutex_);
  tasks_[task] = {&database, std::move(prefixes), std::move(position)};
}

void ReadableState::advance(TaskId task, const InputOffsets& inputs) {
  auto position = std::make_shared<const Position>(Position{inputs});
  const std::lock_guard lock(mutex_);
  if (const auto found = tasks_.find(task); found != tasks_.end())
    found->second.position = std::move(position);
}

void ReadableState::withdraw(TaskId task) {
  const std::lock_guard lock(mutex_);
  tasks_.erase(task);
}

void ReadableState::publish_global(const std::string& store, const state::Database& database) {
  const std::lock_guard lock(mutex_);
  globals_[store] = {&database, {}, std::make_shared<const Position>()};
}

void ReadableState::advance_global(const std::string& store, const TopicPartition& input,
                                   std::int64_t before) {
  const std::lock_guard lock(mutex_);
  const auto found = globals_.find(store);
  if (found == globals_.end()) return;
  Position next = *found->second.position;
  next.before[input] = before;
  found->second.position = std::make_shared<const Position>(std::move(next));
}

void ReadableState::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  unread_.wait(lock, [this] { return reads_ == 0; });
}

void ReadableState::end_read() {
  const std::lock_guard lock(mutex_);
  if (--reads_ == 0) unread_.notify_all();
}

/// Under the mutex.
Result<void> ReadableState::must_be_open() const {
  if (closed_) return fail(Errc::closed, "the application has stopped: its state cannot be read");
  return {};
}

Result<ReadableState::Lease> ReadableState::lease(const std::string& store, TaskId task) {
  const std::lock_guard lock(mutex_);
  if (auto open = must_be_open(); !open) return fail(std::move(open.error()));
  const auto found = tasks_.find(task);
  if (found == tasks_.end())
    return fail(Errc::replica_not_available,
                store + ": partition " + std::to_string(task.partition) +
                    " is not processed by this instance, or is not restored yet; "
                    "parts() says which ones are");
  ++reads_;
  return Lease(shared_from_this(), {task.partition, found->second.position},
               *found->second.database, found->second.prefixes.at(store));
}

Result<ReadableState::Lease> ReadableState::lease_global(const std::string& store) {
  const std::lock_guard lock(mutex_);
  if (auto open = must_be_open(); !open) return fail(std::move(open.error()));
  const auto found = globals_.find(store);
  if (found == globals_.end())
    return fail(Errc::replica_not_available, store + ": the global table is not read yet");
  ++reads_;
  return Lease(shared_from_this(), {-1, found->second.position}, *found->second.database, {});
}

Result<std::vector<StatePart>> ReadableState::parts(std::int32_t sub_topology) {
  const std::lock_guard lock(mutex_);
  if (auto open = must_be_open(); !open) return fail(std::move(open.error()));
  std::vector<StatePart> out;
  for (const auto& [task, part] : tasks_)
    if (task.sub_topology == sub_topology) out.push_back({task.partition, part.position});
  return out;
}

Result<std::vector<StatePart>> ReadableState::global_parts(const std::string& store) {
  const std::lock_guard lock(mutex_);
  if (auto open = must_be_open(); !open) return fail(std::move(open.error()));
  std::vector<StatePart> out;
  if (const auto found = globals_.find(store); found != globals_.end())
    out.push_back({-1, found->second.position});
  return out;
}

}  // namespace weir::streams
