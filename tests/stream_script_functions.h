// The functions of stream scripts, by name, and their processors. tests/java/StreamScripts.java has
// the same. Threads: any; what is not found or not there is thrown as std::runtime_error.
#pragma once

#include <weir/streams.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "json/json.h"

namespace weir::streams {

using Text = std::optional<std::string>;

/// A node or a script; what is asked for must be there.
class Node {
 public:
  explicit Node(const json::Value& value) : value_(&value) {}
  bool has(const char* member) const { return value_->find(member) != nullptr; }
  std::string text(const char* member) const { return *at(member).as_string(); }
  bool flag(const char* member) const { return *at(member).as_bool(); }
  std::int64_t number(const char* member) const { return *at(member).as_int(); }
  std::chrono::milliseconds ms(const char* member) const {
    return std::chrono::milliseconds(number(member));
  }
  const json::Array& list(const char* member) const { return *at(member).as_array(); }
  std::int64_t of(std::size_t i) const { return *list("of").at(i).as_int(); }

 private:
  const json::Value& at(const char* member) const {
    const json::Value* found = value_->find(member);
    if (found == nullptr) throw std::runtime_error(std::string("no ") + member);
    return *found;
  }
  const json::Value* value_;
};

/// "null" if it is absent.
std::string shown(const Text& text);
std::string shown(const std::string* text);
/// Its end: texts do not grow without bound.
std::string tail(const std::string& text);

using Predicate = bool (*)(const Text& key, const Text& value);
Predicate predicate(const std::string& name);
using OfRecord = Text (*)(const Text& key, const Text& value);
OfRecord value_function(const std::string& name);
OfRecord key_function(const std::string& name);
using Several = std::vector<Text> (*)(const Text& value);
Several several_function(const std::string& name);
using Pair = std::pair<Text, Text>;
using ToPair = Pair (*)(const Text& key, const Text& value);
ToPair pair_function(const std::string& name);
using ToPairs = std::vector<Pair> (*)(const Text& key, const Text& value);
ToPairs pairs_function(const std::string& name);
using Aggregate = void (*)(Text& all, const std::string& value);
Aggregate aggregate_function(const std::string& name);
/// What a value that leaves a group does to what is known of it.
Aggregate subtract_function(const std::string& name);
std::string joined_texts(const std::string& a, const std::string& b);

/// All processors of the scripts.
std::unique_ptr<Processor<Text, Text, Text, Text>> make_processor(const Node& node);

}  // namespace weir::streams
