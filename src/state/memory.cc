// The database that forgets: a Tree, whose copies are what cursors see.
#include <fmt/core.h>

#include <mutex>
#include <utility>

#include "base/check.h"
#include "state/database.h"
#include "state/refusal.h"
#include "state/tree.h"

namespace weir::state {
namespace {

class MemoryCursor final : public Cursor {
 public:
  MemoryCursor(const Tree& tree, const Range& range, Order order)
      : tree_(tree), walk_(tree_), ascending_(order == Order::ascending) {
    if (range.to && *range.to <= range.from) return;
    if (ascending_) {
      if (range.to) bound_.emplace(*range.to);
      walk_.seek(range.from);
    } else {
      bound_.emplace(range.from);
      walk_.seek_before(range.to);
    }
    look();
  }

  bool valid() const override { return valid_; }
  std::string_view key() const override { return walk_.key(); }
  std::string_view value() const override { return walk_.value(); }
  void next() override {
    check(valid_, "state: a cursor is moved behind its end");
    ascending_ ? walk_.next() : walk_.previous();
    look();
  }
  void skip_to(std::string_view key) override {
    check(ascending_, "state: a descending cursor cannot skip");
    if (!valid_ || walk_.key() >= key) return;
    walk_.seek(key);
    look();
  }
  Result<void> status() const override { return {}; }

 private:
  void look() {
    valid_ = walk_.valid();
    if (valid_ && bound_) valid_ = ascending_ ? walk_.key() < *bound_ : walk_.key() >= *bound_;
  }

  const Tree tree_;
  Tree::Walk walk_;
  const bool ascending_;
  std::optional<std::string> bound_;  // where it ends
  bool valid_ = false;
};

class MemoryDatabase final : public Database {
 public:
  Result<bool> get(std::string_view key, std::string& value) const override {
    const std::lock_guard lock(mutex_);
    const auto found = tree_.find(key);
    if (found) value.assign(*found);
    return found.has_value();
  }

  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::span<std::optional<std::string>> found) const override {
    check(keys.size() == found.size(), "state: multi_get of two spans of different sizes");
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto value = tree_.find(keys[i]);
      if (!value)
        found[i].reset();
      else if (found[i])
        found[i]->assign(*value);
      else
        found[i].emplace(*value);
    }
    return {};
  }

  std::unique_ptr<Cursor> scan(const Range& range, Order order) const override {
    return std::make_unique<MemoryCursor>(copy(), range, order);
  }

  Result<void> write(const Batch& batch) override {
    if (batch.fault()) return fail(*batch.fault());
    const std::lock_guard lock(mutex_);
    batch.for_each([this](const Batch::Operation& operation) {
      switch (operation.kind) {
        case Batch::Kind::put: return tree_.put(operation.key, operation.value);
        case Batch::Kind::remove: return tree_.remove(operation.key);
        case Batch::Kind::remove_range: return tree_.remove(operation.key, operation.value);
        case Batch::Kind::remove_to_end: return tree_.remove(operation.key, std::nullopt);
      }
    });
    return {};
  }

  /// Into a copy, which then takes the place of the tree: readers never wait for the run.
  Result<void> ingest(const Range& range, Run& run) override {
    Tree next = copy();
    RunCheck order(range);
    std::string_view key;
    std::optional<std::string_view> value;
    while (run.next(key, value)) {
      if (auto good = order.next(key, value.value_or("")); !good) return good;
      value ? next.put(key, *value) : next.remove(key);
    }
    const std::lock_guard lock(mutex_);
    std::swap(tree_, next);
    return {};
  }

  Result<void> flush() override { return {}; }

  Size size() const override {
    const std::lock_guard lock(mutex_);
    return {.entries = tree_.size(), .memory_bytes = tree_.bytes(), .disk_bytes = 0};
  }

 private:
  Tree copy() const {
    const std::lock_guard lock(mutex_);
    return tree_;
  }

  // The one lock outside base and io of this room: Database lets any thread read, and a map in
  // memory has nothing else to tell them when it is whole. Held for a lookup or for a batch.
  mutable std::mutex mutex_;
  Tree tree_;
};

}  // namespace

std::unique_ptr<Database> open_in_memory() { return std::make_unique<MemoryDatabase>(); }

}  // namespace weir::state
