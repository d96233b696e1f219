#include "contract/lint/rule.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace weir::contract::lint {
namespace {

/// A whole schema, or the fields of a record.
std::string schema_text(std::string_view text) {
  if (text.empty() || !text.starts_with(R"({"name")")) return std::string(text);
  return R"({"type":"record","name":"shop.OrderPlaced",)"
         R"("doc":"Emitted when a customer has paid for an order.",)"
         R"("weir.topic":"shop.orders","weir.key":"string","fields":[)" +
         std::string(text) + "]}";
}

SchemaPtr parsed(Language language, std::string_view text) {
  auto schema = Schema::parse(language, text, {.strict = false});
  check(schema.has_value(), "an example of a rule is a schema");
  return std::move(*schema);
}

void add_version(Language language, std::string_view text, std::vector<SchemaPtr>& out) {
  if (!text.empty()) out.push_back(parsed(language, schema_text(text)));
}

void sample(std::string_view lines, Evidence& out) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (line.empty()) continue;
    // "*1000 {...}" is a thousand of them.
    std::string_view text = line;
    int count = 1;
    if (line.front() == '*') {
      const auto space = line.find(' ');
      std::from_chars(line.data() + 1, line.data() + space, count);
      text = line.substr(space + 1);
    }
    auto value = json::parse(text);
    check(value.has_value(), "the sample of an example is JSON");
    for (int i = 0; i < count; ++i) out.add(*value, text.size(), std::to_string(i));
  }
}

}  // namespace

std::span<const Rule> rules() {
  static const std::vector<Rule> all = [] {
    std::vector<Rule> out;
    for (const auto part : {rules_of_streams(), rules_of_types(), rules_of_names(), rules_of_keys(),
                            rules_of_evolution(), rules_of_privacy()})
      out.insert(out.end(), part.begin(), part.end());
    std::ranges::sort(out, {}, &Rule::id);
    return out;
  }();
  return all;
}

const Rule* find_rule(std::string_view id_or_name) {
  for (const Rule& rule : rules())
    if (rule.id == id_or_name || rule.name == id_or_name) return &rule;
  return nullptr;
}

std::vector<StreamContract> streams_of(const Example& example, std::vector<Evidence>& evidence) {
  StreamContract stream;
  for (const std::string_view text : {example.first, example.earlier, example.value})
    add_version(example.language, text, stream.value_versions);
  const Outline outline = stream.value_versions.back()->outline();
  stream.name = outline.topic.empty() ? "shop.orders" : outline.topic;
  stream.value_source = stream.name + "-value";
  stream.key_source = stream.name + "-key";
  for (const std::string_view text : {example.earlier_key, example.key})
    add_version(Language::avro, text, stream.key_versions);
  if (!example.reader.empty())
    stream.readers.push_back({"billing", parsed(Language::avro, schema_text(example.reader))});
  if (!example.sample.empty()) {
    sample(example.sample, evidence.emplace_back(outline));
    stream.evidence = &evidence.back();
  }
  std::vector<StreamContract> out;
  out.push_back(std::move(stream));
  if (!example.other.empty()) {
    StreamContract other{.name = "shop.others",
                         .value_versions = {parsed(Language::avro, schema_text(example.other))},
                         .key_versions = {},
                         .value_source = "shop.others-value",
                         .key_source = {},
                         .guarded_tags = {},
                         .readers = {},
                         .evidence = nullptr};
    out.push_back(std::move(other));
  }
  return out;
}

std::string text_of(const Example& example) {
  std::string out;
  const auto part = [&](std::string_view title, std::string_view text) {
    if (text.empty()) return;
    if (!out.empty()) out += '\n';
    if (!title.empty()) out += std::string(title) + ":\n";
    out += schema_text(text);
  };
  part("first", example.first);
  part("earlier", example.earlier);
  const bool alone = out.empty() && example.key.empty() && example.sample.empty() &&
                     example.other.empty() && example.reader.empty();
  part(alone ? "" : "value", example.value);
  part("earlier key", example.earlier_key);
  part("key", example.key);
  part("another stream", example.other);
  part("a consumer reads it as", example.reader);
  if (!example.sample.empty()) out += "\nsample:\n" + std::string(example.sample);
  return out;
}

}  // namespace weir::contract::lint
