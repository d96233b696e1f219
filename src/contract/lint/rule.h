// The table of rules. Each has an example that it passes and one that it does not, which are its
// test and what `weir contract explain` shows.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "contract/lint/lint.h"

namespace weir::contract::lint {

/// A stream's contract in short. `value` is either a whole schema or the fields of a record
/// `shop.OrderPlaced` in Avro.
struct Example {
  std::string_view value;
  std::string_view earlier = {};  // an earlier version, likewise
  std::string_view first = {};    // a version before that
  std::string_view key = {};      // a whole schema in Avro
  std::string_view earlier_key = {};
  std::string_view sample = {};  // values, a line of JSON each
  std::string_view other = {};   // the value of another stream, a whole schema in Avro
  std::string_view reader = {};  // the schema of a consumer, likewise
  Language language = Language::avro;
};

class Inspection;
using Check = void (*)(Inspection&);

struct Rule {
  std::string_view id;    // "EV012"
  std::string_view name;  // "narrow-money"
  Severity severity = Severity::info;
  std::string_view why;
  std::string_view mend;
  Check check = nullptr;
  Example good;
  Example bad;
};

/// In the order of their ids.
std::span<const Rule> rules();
/// By id or name; nullptr if there is none.
const Rule* find_rule(std::string_view id_or_name);

/// The streams of an example: its own, then the other one. What it samples is added to `evidence`,
/// which they borrow.
std::vector<StreamContract> streams_of(const Example& example, std::vector<Evidence>& evidence);
/// As people read it.
std::string text_of(const Example& example);

// Parts of the table, each beside its checks.
std::span<const Rule> rules_of_streams();
std::span<const Rule> rules_of_types();
std::span<const Rule> rules_of_names();
std::span<const Rule> rules_of_keys();
std::span<const Rule> rules_of_evolution();
std::span<const Rule> rules_of_privacy();

}  // namespace weir::contract::lint
