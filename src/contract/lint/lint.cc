#include "contract/lint/lint.h"

#include <algorithm>
#include <array>

#include "contract/lint/inspection.h"

namespace weir::contract::lint {
namespace {

constexpr std::array<std::string_view, 3> severity_names = {"info", "warn", "error"};

std::vector<Outline> outlines_of(const std::vector<SchemaPtr>& schemas) {
  std::vector<Outline> out;
  out.reserve(schemas.size());
  for (const SchemaPtr& schema : schemas) out.push_back(schema->outline());
  return out;
}

}  // namespace

std::string_view name_of(Severity severity) {
  return severity_names[static_cast<std::size_t>(severity)];
}

std::optional<Severity> parse_severity(std::string_view text) {
  for (std::size_t i = 0; i < severity_names.size(); ++i)
    if (severity_names[i] == text) return static_cast<Severity>(i);
  return std::nullopt;
}

const FieldEvidence* Inspection::evidence_of(const OutlineRecord& record,
                                             const OutlineField& field) const {
  const Evidence* evidence = stream_.contract->evidence;
  return evidence == nullptr ? nullptr : evidence->field(record.name, field.name);
}

void Inspection::add(std::string place, std::string what,
                     std::initializer_list<const Waivers*> waivers) {
  Finding finding{.rule = rule_.id,
                  .name = rule_.name,
                  .severity = rule_.severity,
                  .stream = stream_.contract->name,
                  .source = stream_.contract->value_source,
                  .place = std::move(place),
                  .what = std::move(what),
                  .mend = rule_.mend,
                  .waived = {}};
  for (const Waivers* some : waivers) {
    const auto found = some->find(rule_.id);
    if (found == some->end()) continue;
    if (found->second.empty())
      finding.what += "; its waiver gives no reason, so it does not count";
    else
      finding.waived = found->second;
  }
  out_.push_back(std::move(finding));
}

void Inspection::tell_stream(std::string what) {
  static const Waivers none;
  const OutlineRecord* root = stream_.root();
  add("", std::move(what), {root == nullptr ? &none : &root->waivers});
}

void Inspection::tell(const OutlineRecord& record, std::string what) {
  add(record.name, std::move(what), {&record.waivers});
}

void Inspection::tell(const OutlineRecord& record, const OutlineField& field, std::string what) {
  add(record.name + "." + field.name, std::move(what), {&record.waivers, &field.waivers});
}

void Inspection::tell(const OutlineEnum& type, std::string what) {
  add(type.name, std::move(what), {&type.waivers});
}

void Inspection::tell_key(std::string place, std::string what) {
  static const Waivers none;
  const Outline* key = stream_.key();
  const OutlineRecord* record = key == nullptr ? nullptr : key->record(key->root_name);
  add(std::move(place), std::move(what), {record == nullptr ? &none : &record->waivers});
  if (!stream_.contract->key_source.empty()) out_.back().source = stream_.contract->key_source;
}

std::vector<Finding> lint(std::span<const StreamContract> streams) {
  std::vector<Prepared> all;
  all.reserve(streams.size());
  for (const StreamContract& stream : streams)
    all.push_back({.contract = &stream,
                   .values = outlines_of(stream.value_versions),
                   .keys = outlines_of(stream.key_versions)});
  std::vector<Finding> out;
  for (const Prepared& stream : all) {
    for (const Rule& rule : rules()) {
      Inspection inspection(rule, stream, all, out);
      rule.check(inspection);
    }
  }
  return out;
}

}  // namespace weir::contract::lint
