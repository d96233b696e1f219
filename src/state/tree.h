// Tree: a sorted map of bytes whose copies cost nothing and stay as they are while it changes.
//
// A B+ tree whose nodes and entries are counted. A copy shares the root; whoever then changes one
// of the two copies the nodes on the way that are shared, once. With no copy about, all is changed
// in place. So a cursor's past is held by its copy alone, and gone with it: no versions in entries,
// no sweeping.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::state {

/// One key and its value, in one allocation; never changed. Counted by hand.
struct Entry;

/// Threads: an object is one thread's at a time; copies of it may be used and destroyed by others
/// at the same time.
class Tree {
 public:
  Tree();
  Tree(const Tree& other) noexcept;
  Tree& operator=(Tree other) noexcept;
  ~Tree();

  /// The value, which lives as long as any tree holds it.
  std::optional<std::string_view> find(std::string_view key) const;
  void put(std::string_view key, std::string_view value);
  void remove(std::string_view key);
  /// [from, to)
  void remove(std::string_view from, std::optional<std::string_view> to);

  std::size_t size() const { return size_; }
  /// What the entries and their places take, about.
  std::size_t bytes() const;

  struct Node;

  /// Walks a tree that must not change meanwhile; a copy of it, then.
  class Walk {
   public:
    explicit Walk(const Tree& tree) : root_(tree.root_) {}
    /// To the first key that is not below `key`.
    void seek(std::string_view key);
    /// To the last key that is below `key`; absent: to the last of all.
    void seek_before(std::optional<std::string_view> key);
    bool valid() const { return depth_ > 0; }
    std::string_view key() const;
    std::string_view value() const;
    void next();
    void previous();

   private:
    struct Step {
      const Node* node = nullptr;
      std::size_t index = 0;
    };
    /// A node but the root has a quarter of its places filled, or a neighbour that is too full to
    /// take it in: this many levels are more than memory can hold.
    static constexpr std::size_t most_levels = 16;
    void push(const Node* node, std::size_t index);
    void down_to_first(const Node* node);
    void down_to_last(const Node* node);
    const Node* root_;
    std::array<Step, most_levels> steps_;
    std::size_t depth_ = 0;
  };

 private:
  struct Split;
  static Split insert(Node*& place, std::string_view key, Entry* entry, Entry*& replaced);
  void erase(Node*& place, std::string_view key);
  void erase(Node*& place, std::string_view from, std::optional<std::string_view> to);
  void shrink_root();
  void forget(const Node* node);
  void forget(const Entry* entry);

  Node* root_;
  std::size_t size_ = 0;
  std::size_t entry_bytes_ = 0;
};

}  // namespace weir::state
