#include "state/tree.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"

namespace weir::state {

struct Entry {
  std::atomic<std::uint32_t> holders{1};
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;

  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  std::string_view key() const { return {bytes(), key_size}; }
  std::string_view value() const { return {bytes() + key_size, value_size}; }
  std::size_t size_bytes() const { return sizeof(Entry) + key_size + value_size; }
};

namespace {

constexpr std::size_t most = 64;          // places of a node
constexpr std::size_t prefix_bytes = 24;  // of what a node's keys begin with, at most kept
constexpr std::size_t place_bytes = 24;   // of an entry in a leaf filled as leaves are on average

Entry* make_entry(std::string_view key, std::string_view value) {
  void* memory = ::operator new(sizeof(Entry) + key.size() + value.size());
  auto* entry = new (memory) Entry;
  entry->key_size = static_cast<std::uint32_t>(key.size());
  entry->value_size = static_cast<std::uint32_t>(value.size());
  char* bytes = reinterpret_cast<char*>(entry + 1);
  std::copy(key.begin(), key.end(), bytes);
  std::copy(value.begin(), value.end(), bytes + key.size());
  return entry;
}

Entry* hold(Entry* entry) {
  if (entry != nullptr) entry->holders.fetch_add(1, std::memory_order_relaxed);
  return entry;
}

void release(Entry* entry) {
  if (entry == nullptr || entry->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  entry->~Entry();
  ::operator delete(entry);
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end - a.begin());
}

/// The eight bytes behind the first `skip`, so that they compare as numbers; zeros where the key is
/// shorter, so keys of one head are still to be compared.
std::uint64_t head_of(std::string_view key, std::size_t skip) {
  std::uint64_t head = 0;
  if (key.size() > skip)
    std::memcpy(&head, key.data() + skip, std::min(key.size() - skip, sizeof head));
  if constexpr (std::endian::native == std::endian::little) head = __builtin_bswap64(head);
  return head;
}

}  // namespace

/// A leaf's keys are entries. An inner node's key i is the separator between child i-1 and child i:
/// above all keys of the one, not above any of the other; key 0 is absent.
struct Tree::Node {
  explicit Node(bool is_leaf) : leaf(is_leaf) {}

  std::atomic<std::uint32_t> holders{1};
  std::uint16_t count = 0;
  std::uint8_t skip = 0;  // all keys begin with these many bytes of `prefix`
  bool leaf;
  std::array<char, prefix_bytes> prefix;
  std::array<std::uint64_t, most> heads;  // of the keys, behind `skip`
  std::array<Entry*, most> keys;

  std::size_t first() const { return leaf ? 0 : 1; }
  Node*& child(std::size_t i);
  Node* child(std::size_t i) const;
};

namespace {

using Node = Tree::Node;

struct Inner : Node {
  Inner() : Node(false) {}
  std::array<Node*, most> children;
};

void release(Node* node) {
  if (node->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (std::size_t i = node->first(); i < node->count; ++i) release(node->keys[i]);
  if (node->leaf) {
    delete node;
    return;
  }
  for (std::size_t i = 0; i < node->count; ++i) release(node->child(i));
  delete static_cast<Inner*>(node);
}

Node* hold(Node* node) {
  node->holders.fetch_add(1, std::memory_order_relaxed);
  return node;
}

/// Not inlined: g++ 12 would see the size of a leaf and warn of places that only inner nodes use.
[[gnu::noinline]] Node* make_node(bool leaf) { return leaf ? new Node(true) : new Inner; }

/// Finds anew what all keys begin with.
void rehead(Node& node) {
  const std::size_t first = node.first();
  node.skip = 0;
  if (first >= node.count) return;
  const std::string_view low = node.keys[first]->key();
  const std::size_t skip =
      std::min(common_prefix(low, node.keys[node.count - 1U]->key()), prefix_bytes);
  node.skip = static_cast<std::uint8_t>(skip);
  std::copy_n(low.begin(), skip, node.prefix.begin());
  for (std::size_t i = first; i < node.count; ++i)
    node.heads[i] = head_of(node.keys[i]->key(), skip);
}

/// The first place whose key is not below `key`, or (`above`) is above it.
std::size_t bound(const Node& node, std::string_view key, bool above) {
  const std::size_t first = node.first();
  if (first >= node.count) return first;
  if (node.skip > 0) {
    const int order = key.substr(0, node.skip).compare({node.prefix.data(), node.skip});
    if (order < 0) return first;
    if (order > 0) return node.count;
  }
  const auto begin = node.heads.begin();
  const std::uint64_t head = head_of(key, node.skip);
  const auto alike =
      std::equal_range(begin + static_cast<std::ptrdiff_t>(first), begin + node.count, head);
  auto low = static_cast<std::size_t>(alike.first - begin);
  auto high = static_cast<std::size_t>(alike.second - begin);
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const int order = node.keys[middle]->key().compare(key);
    if (order < 0 || (above && order == 0))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

std::size_t child_for(const Node& node, std::string_view key) { return bound(node, key, true) - 1; }

/// Copies the node if another version has it too.
Node& own(Node*& place) {
  if (place->holders.load(std::memory_order_acquire) == 1) return *place;
  Node* copy = make_node(place->leaf);
  copy->count = place->count;
  copy->skip = place->skip;
  copy->prefix = place->prefix;
  copy->heads = place->heads;
  for (std::size_t i = place->first(); i < place->count; ++i) copy->keys[i] = hold(place->keys[i]);
  if (!place->leaf)
    for (std::size_t i = 0; i < place->count; ++i) copy->child(i) = hold(place->child(i));
  release(place);
  place = copy;
  return *copy;
}

/// Makes room at `i` of a node that is not full.
void open_place(Node& node, std::size_t i) {
  for (std::size_t k = node.count; k > i; --k) {
    node.keys[k] = node.keys[k - 1];
    node.heads[k] = node.heads[k - 1];
    if (!node.leaf) node.child(k) = node.child(k - 1);
  }
  ++node.count;
}

void insert_at(Node& node, std::size_t i, Entry* key, Node* child) {
  open_place(node, i);
  node.keys[i] = key;
  if (!node.leaf) node.child(i) = child;
  const std::string_view bytes = key->key();
  if (bytes.size() >= node.skip && std::memcmp(bytes.data(), node.prefix.data(), node.skip) == 0)
    node.heads[i] = head_of(bytes, node.skip);
  else
    rehead(node);
}

/// Takes out what is at `i`, which the caller has released or still needs; a child too.
void close_place(Node& node, std::size_t i) {
  --node.count;
  for (std::size_t k = i; k < node.count; ++k) {
    node.keys[k] = node.keys[k + 1U];
    node.heads[k] = node.heads[k + 1U];
    if (!node.leaf) node.child(k) = node.child(k + 1U);
  }
}

/// Takes child `i`, which the caller has released, out of an inner node.
void drop_child(Node& node, std::size_t i) {
  const std::size_t key = std::max<std::size_t>(i, 1);  // key 0 stays absent
  if (key < node.count) release(node.keys[key]);
  close_place(node, i);
}

/// Moves [from, count) of `left` to an empty `right`.
void move_tail(Node& left, std::size_t from, Node& right) {
  for (std::size_t i = from; i < left.count; ++i) {
    right.keys[i - from] = left.keys[i];
    if (!left.leaf) right.child(i - from) = left.child(i);
  }
  right.count = static_cast<std::uint16_t>(left.count - from);
  left.count = static_cast<std::uint16_t>(from);
}

/// The children `left` and `left` + 1 become one, if that has room to grow.
void merge(Node& parent, std::size_t left) {
  if (parent.child(left)->count + parent.child(left + 1)->count > most * 3 / 4) return;
  Node& to = own(parent.child(left));
  Node* from = parent.child(left + 1);
  for (std::size_t i = 0; i < from->count; ++i, ++to.count) {
    const bool separator = !from->leaf && i == 0;
    to.keys[to.count] = hold(separator ? parent.keys[left + 1] : from->keys[i]);
    if (!to.leaf) to.child(to.count) = hold(from->child(i));
  }
  rehead(to);
  release(from);
  drop_child(parent, left + 1);
}

/// After something was taken out of child `i`.
void mend(Node& parent, std::size_t i) {
  Node* child = parent.child(i);
  if (child->count == 0) {
    release(child);
    drop_child(parent, i);
  } else if (child->count < most / 4) {
    if (i + 1 < parent.count)
      merge(parent, i);
    else if (i > 0)
      merge(parent, i - 1);
  }
}

}  // namespace

Node*& Tree::Node::child(std::size_t i) { return static_cast<Inner*>(this)->children[i]; }
Node* Tree::Node::child(std::size_t i) const {
  return static_cast<const Inner*>(this)->children[i];
}

struct Tree::Split {
  Entry* separator = nullptr;
  Node* right = nullptr;
};

Tree::Tree() : root_(make_node(true)) {}
Tree::Tree(const Tree& other) noexcept
    : root_(hold(other.root_)), size_(other.size_), entry_bytes_(other.entry_bytes_) {}
Tree& Tree::operator=(Tree other) noexcept {
  std::swap(root_, other.root_);
  size_ = other.size_;
  entry_bytes_ = other.entry_bytes_;
  return *this;
}
Tree::~Tree() { release(root_); }

std::size_t Tree::bytes() const { return entry_bytes_ + size_ * place_bytes; }

std::optional<std::string_view> Tree::find(std::string_view key) const {
  const Node* node = root_;
  while (!node->leaf) node = node->child(child_for(*node, key));
  const std::size_t i = bound(*node, key, false);
  if (i == node->count || node->keys[i]->key() != key) return std::nullopt;
  return node->keys[i]->value();
}

void Tree::put(std::string_view key, std::string_view value) {
  Entry* entry = make_entry(key, value);
  Entry* replaced = nullptr;
  const Split split = insert(root_, key, entry, replaced);
  if (split.right != nullptr) {
    Node* root = make_node(false);
    root->count = 1;
    root->child(0) = root_;
    insert_at(*root, 1, split.separator, split.right);
    root_ = root;
  }
  ++size_;
  entry_bytes_ += entry->size_bytes();
  if (replaced != nullptr) forget(replaced);
  release(replaced);
}

namespace {

/// The shortest bytes that are above `low` and not above `high`. A separator of its own, so that no
/// inner node keeps a value.
Entry* separator_between(std::string_view low, std::string_view high) {
  return make_entry(high.substr(0, common_prefix(low, high) + 1), {});
}

/// Splits a full leaf around the entry that goes to `i`. At the end only that entry goes over: who
/// writes in order fills leaves.
Node* split_leaf(Node& left, std::size_t i, Entry* entry) {
  Node* right = make_node(true);
  const std::size_t from = i == most ? most : most / 2;
  move_tail(left, from, *right);
  if (i < from)
    insert_at(left, i, entry, nullptr);
  else
    insert_at(*right, i - from, entry, nullptr);
  rehead(left);
  rehead(*right);
  return right;
}

/// Splits a full inner node around `separator` and `child`, which go to `i` >= 1; what is between
/// the two becomes `separator`.
Node* split_inner(Node& left, std::size_t i, Entry*& separator, Node* child) {
  Node* right = make_node(false);
  if (i == most) {
    right->count = 1;
    right->child(0) = child;
    return right;
  }
  const std::size_t from = most / 2;
  Entry* up = left.keys[from];
  move_tail(left, from, *right);
  if (i <= from)
    insert_at(left, i, separator, child);
  else
    insert_at(*right, i - from, separator, child);
  separator = up;
  rehead(left);
  rehead(*right);
  return right;
}

}  // namespace

Tree::Split Tree::insert(Node*& place, std::string_view key, Entry* entry, Entry*& replaced) {
  Node& node = own(place);
  if (node.leaf) {
    const std::size_t i = bound(node, key, false);
    if (i < node.count && node.keys[i]->key() == key) {
      replaced = std::exchange(node.keys[i], entry);
      return {};
    }
    if (node.count < most) {
      insert_at(node, i, entry, nullptr);
      return {};
    }
    Node* right = split_leaf(node, i, entry);
    return {separator_between(node.keys[node.count - 1U]->key(), right->keys[0]->key()), right};
  }
  const std::size_t i = child_for(node, key);
  Split split = insert(node.child(i), key, entry, replaced);
  if (split.right == nullptr) return {};
  if (node.count < most) {
    insert_at(node, i + 1, split.separator, split.right);
    return {};
  }
  split.right = split_inner(node, i + 1, split.separator, split.right);
  return split;
}

void Tree::remove(std::string_view key) {
  if (!find(key)) return;  // so that nothing is copied for it
  erase(root_, key);
  shrink_root();
}

void Tree::remove(std::string_view from, std::optional<std::string_view> to) {
  Walk walk(*this);
  walk.seek(from);
  if (!walk.valid() || (to && walk.key() >= *to)) return;
  erase(root_, from, to);
  shrink_root();
}

void Tree::erase(Node*& place, std::string_view key) {
  Node& node = own(place);
  if (!node.leaf) {
    const std::size_t i = child_for(node, key);
    erase(node.child(i), key);
    mend(node, i);
    return;
  }
  const std::size_t i = bound(node, key, false);
  Entry* entry = node.keys[i];
  close_place(node, i);
  forget(entry);
  release(entry);
}

void Tree::erase(Node*& place, std::string_view from, std::optional<std::string_view> to) {
  Node& node = own(place);
  if (node.leaf) {
    const std::size_t low = bound(node, from, false);
    const std::size_t high = to ? bound(node, *to, false) : node.count;
    for (std::size_t i = low; i < high; ++i) {
      forget(node.keys[i]);
      release(node.keys[i]);
    }
    for (std::size_t i = low; i < high; ++i) close_place(node, low);
    return;
  }
  const std::size_t low = child_for(node, from);
  const std::size_t high = to ? child_for(node, *to) : node.count - 1U;
  if (low == high) {
    erase(node.child(low), from, to);
    mend(node, low);
    return;
  }
  erase(node.child(low), from, std::nullopt);
  erase(node.child(high), {}, to);
  for (std::size_t i = low + 1; i < high; ++i) {  // whole children go without a look at their keys
    forget(node.child(low + 1));
    release(node.child(low + 1));
    drop_child(node, low + 1);
  }
  mend(node, low + 1);
  mend(node, low);
}

void Tree::shrink_root() {
  while (!root_->leaf && root_->count <= 1) {
    Node* child = root_->count == 1 ? hold(root_->child(0)) : make_node(true);
    release(std::exchange(root_, child));
  }
}

void Tree::forget(const Node* node) {
  for (std::size_t i = 0; i < node->count; ++i)
    node->leaf ? forget(node->keys[i]) : forget(node->child(i));
}

void Tree::forget(const Entry* entry) {
  --size_;
  entry_bytes_ -= entry->size_bytes();
}

void Tree::Walk::push(const Node* node, std::size_t index) {
  check(depth_ < most_levels, "state: a tree in memory is too deep");
  steps_[depth_++] = {node, index};
}

void Tree::Walk::down_to_first(const Node* node) {
  for (; !node->leaf; node = node->child(0)) push(node, 0);
  push(node, 0);
}

void Tree::Walk::down_to_last(const Node* node) {
  for (; !node->leaf; node = node->child(node->count - 1U)) push(node, node->count - 1U);
  push(node, node->count - 1U);
}

void Tree::Walk::seek(std::string_view key) {
  depth_ = 0;
  const Node* node = root_;
  for (; !node->leaf; node = node->child(steps_[depth_ - 1].index))
    push(node, child_for(*node, key));
  push(node, bound(*node, key, false));
  Step& leaf = steps_[depth_ - 1];
  if (leaf.index < node->count) return;
  --leaf.index;  // of an empty tree it becomes 0 again: next() finds no place there either
  next();
}

void Tree::Walk::seek_before(std::optional<std::string_view> key) {
  depth_ = 0;
  if (!key) {
    if (root_->count > 0) down_to_last(root_);
    return;
  }
  const Node* node = root_;
  for (; !node->leaf; node = node->child(steps_[depth_ - 1].index))
    push(node, child_for(*node, *key));
  push(node, bound(*node, *key, false));
  previous();
}

std::string_view Tree::Walk::key() const {
  const Step& leaf = steps_[depth_ - 1];
  return leaf.node->keys[leaf.index]->key();
}

std::string_view Tree::Walk::value() const {
  const Step& leaf = steps_[depth_ - 1];
  return leaf.node->keys[leaf.index]->value();
}

void Tree::Walk::next() {
  if (++steps_[depth_ - 1].index < steps_[depth_ - 1].node->count) return;
  for (--depth_; depth_ > 0; --depth_) {
    Step& step = steps_[depth_ - 1];
    if (++step.index >= step.node->count) continue;
    return down_to_first(step.node->child(step.index));
  }
}

void Tree::Walk::previous() {
  if (steps_[depth_ - 1].index-- > 0) return;
  for (--depth_; depth_ > 0; --depth_) {
    Step& step = steps_[depth_ - 1];
    if (step.index-- == 0) continue;
    return down_to_last(step.node->child(step.index));
  }
}

}  // namespace weir::state
