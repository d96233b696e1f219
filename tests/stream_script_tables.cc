// What scripts make of tables, and what holds their updates back.
#include <utility>

#include "stream_script_builder.h"

namespace weir::streams {
namespace {

using std::string;
string joined_rows(const string* left, const string* right) {
  return tail(shown(left) + "&" + shown(right));
}

}  // namespace

void Builder::give_table(const Node& node, const Texts& table) {
  tables_.emplace(node.number("id"),
                  node.flag("kept") ? table.materialized(node.text("name") + "-kept") : table);
}

void Builder::to_table(const Node& node) {
  tables_.emplace(node.number("id"), from(node).to_table(node.text("name")));
}

void Builder::one_table(const Node& node) {
  const string fn = node.text("fn");
  const string name = node.text("name");
  if (node.text("op") == "table_filter")
    give_table(
        node,
        table_of(node).filter(
            [fn = predicate(fn)](const string& key, const string& v) { return fn(key, v); }, name));
  else
    give_table(node, table_of(node).map_values(
                         [fn = value_function(fn)](const string& key, const string& v) {
                           return fn(key, v);
                         },
                         name));
}

void Builder::table_join(const Node& node) {
  const string op = node.text("op");
  const string name = node.text("name");
  const Texts& left = table_of(node);
  const Texts& right = table_of(node, 1);
  if (op == "table_join_inner")
    give_table(
        node,
        left.join(
            right, [](const string& l, const string& r) { return joined_rows(&l, &r); }, name));
  if (op == "table_join_left")
    give_table(node, left.left_join(
                         right, [](const string& l, const string* r) { return joined_rows(&l, r); },
                         name));
  if (op == "table_join_outer") give_table(node, left.outer_join(right, joined_rows, name));
}

void Builder::table_group(const Node& node) {
  const string op = node.text("op");
  const string name = node.text("name");
  const std::int64_t id = node.number("id");
  const auto grouped = table_of(node).group_by(
      [by = key_function(node.text("by"))](const string& key, const string& v) {
        return std::pair(by(key, v), v);
      },
      name + "-by");
  if (op == "table_count") counts_.emplace(id, grouped.count(name));
  if (op == "table_reduce")
    tables_.emplace(
        id, grouped.reduce([](const string& all, const string& v) { return tail(all + "+" + v); },
                           [](const string& all, const string& v) { return tail(all + "-" + v); },
                           name));
  if (op == "table_aggregate")
    tables_.emplace(id, grouped.aggregate(string(), aggregate_function(node.text("fn")),
                                          subtract_function(node.text("fn")), name));
}

void Builder::foreign_key_join(const Node& node) {
  const string name = node.text("name");
  const Texts& left = table_of(node);
  const Texts& right = table_of(node, 1);
  const auto extract = [key_of = key_function(node.text("fn"))](
                           const string& key, const string& v) { return key_of(key, v); };
  if (node.text("op") == "foreign_key_join")
    tables_.emplace(
        node.number("id"),
        left.foreign_key_join(
            right, extract, [](const string& l, const string& r) { return joined_rows(&l, &r); },
            name));
  else
    tables_.emplace(node.number("id"),
                    left.foreign_key_left_join(
                        right, extract,
                        [](const string& l, const string* r) { return joined_rows(&l, r); }, name));
}

void Builder::suppress(const Node& node) {
  Suppression how = node.text("op") == "suppress_close"
                        ? Suppression::until_window_closes().like_kafka_streams()
                        : Suppression::until_time_limit(node.ms("limit"));
  if (node.has("most")) how = how.max_records(node.number("most"));
  const auto hold = [&](auto& tables) {
    if (const auto found = tables.find(node.of(0)); found != tables.end())
      tables.emplace(node.number("id"), found->second.suppress(how, node.text("name")));
  };
  hold(tables_);
  hold(counts_);
  hold(windows_);
  hold(window_counts_);
}

void Builder::write_table(const Node& node) { table_of(node).to(script_topic(node.text("topic"))); }

}  // namespace weir::streams
