#include "contract/comparison.h"

#include <algorithm>
#include <functional>

#include "contract/convert.h"

namespace weir::contract {
namespace {

constexpr std::array languages = {Language::avro, Language::protobuf, Language::json};

/// Gives false if there is nothing that it could change.
using Edit = std::function<bool(Outline&, OutlineRecord& root)>;
struct NamedEdit {
  std::string_view change;
  Edit edit;
};

OutlineField new_field(bool nullable) {
  OutlineField out;
  out.name = "something_new";
  out.shape = Shape::string;
  out.type = "string";
  out.nullable = nullable;
  return out;
}

bool erase_last(OutlineRecord& root, bool nullable) {
  const auto found = std::find_if(root.fields.rbegin(), root.fields.rend(),
                                  [&](const OutlineField& f) { return f.nullable == nullable; });
  if (found == root.fields.rend() || root.fields.size() == 1) return false;
  root.fields.erase(std::next(found).base());
  return true;
}

template <class Wanted>
OutlineField* first(OutlineRecord& root, Wanted wanted) {
  const auto found = std::ranges::find_if(root.fields, wanted);
  return found == root.fields.end() ? nullptr : &*found;
}

bool is_plain(const OutlineField& field, Shape shape) {
  return field.shape == shape && field.logical.empty() && !field.nullable;
}

std::vector<NamedEdit> edits() {
  const auto add = [](bool nullable) {
    return [nullable](Outline&, OutlineRecord& root) {
      root.fields.push_back(new_field(nullable));
      return true;
    };
  };
  const auto remove = [](bool nullable) {
    return [nullable](Outline&, OutlineRecord& root) { return erase_last(root, nullable); };
  };
  return {
      {"a field that may be missing is added", add(true)},
      {"a field that is always there is added", add(false)},
      {"a field that may be missing is removed", remove(true)},
      {"a field that is always there is removed", remove(false)},
      {"a field that is always there is renamed",
       [](Outline&, OutlineRecord& root) {
         OutlineField* field = first(root, [](const auto& f) { return !f.nullable; });
         if (field == nullptr) return false;
         field->name += "_renamed";
         return true;
       }},
      {"the fields change their order",
       [](Outline&, OutlineRecord& root) {
         std::ranges::reverse(root.fields);
         return root.fields.size() > 1;
       }},
      {"a field may be missing from now on",
       [](Outline&, OutlineRecord& root) {
         OutlineField* field = first(root, [](const auto& f) { return !f.nullable; });
         if (field == nullptr) return false;
         return field->nullable = true;
       }},
      {"a number gets 64 bits in place of 32",
       [](Outline&, OutlineRecord& root) {
         OutlineField* field =
             first(root, [](const auto& f) { return is_plain(f, Shape::integer) && f.bits == 32; });
         if (field == nullptr) return false;
         field->bits = 64;
         return true;
       }},
      {"a number becomes a text",
       [](Outline&, OutlineRecord& root) {
         OutlineField* field =
             first(root, [](const auto& f) { return is_plain(f, Shape::integer); });
         if (field == nullptr) return false;
         field->shape = Shape::string;
         return true;
       }},
      {"one value becomes a list of them",
       [](Outline&, OutlineRecord& root) {
         OutlineField* field =
             first(root, [](const auto& f) { return is_plain(f, Shape::string); });
         if (field == nullptr) return false;
         field->shape = Shape::array;
         field->element = Shape::string;
         return true;
       }},
      {"an enumeration gets a symbol",
       [](Outline& outline, OutlineRecord&) {
         if (outline.enums.empty()) return false;
         outline.enums.front().symbols.emplace_back("SOMETHING_NEW");
         return true;
       }},
  };
}

/// The numbers of Protobuf stay what they are while fields come, go and move.
void number_fields(Outline& outline) {
  for (OutlineRecord& record : outline.records) {
    std::int32_t most = 0;
    for (const OutlineField& field : record.fields) most = std::max(most, field.number);
    for (OutlineField& field : record.fields)
      if (field.number == 0) field.number = ++most;
  }
}

Result<SchemaPtr> schema_of(const Outline& outline, Language language) {
  auto text = convert(outline, language);
  if (!text) return fail(std::move(text.error()));
  return Schema::parse(language, *text, {.strict = false});
}

Result<Fit> fit_of(const Schema& before, const Schema& after) {
  const auto backward = after.unreadable(before, Policy::strict);
  if (!backward) return fail(backward.error());
  const auto forward = before.unreadable(after, Policy::strict);
  if (!forward) return fail(forward.error());
  if (backward->empty()) return forward->empty() ? Fit::both : Fit::new_reads_old;
  return forward->empty() ? Fit::old_reads_new : Fit::neither;
}

}  // namespace

std::string_view name_of(Fit fit) {
  constexpr std::array<std::string_view, 4> names = {"both ways", "new reads old", "old reads new",
                                                     "neither"};
  return names[static_cast<std::size_t>(fit)];
}

Result<std::vector<ChangeFits>> compare_changes(const Outline& outline) {
  Outline base = outline;
  number_fields(base);
  std::array<SchemaPtr, 3> before;
  for (const Language language : languages) {
    auto schema = schema_of(base, language);
    if (!schema) return fail(std::move(schema.error()));
    before[static_cast<std::size_t>(language)] = std::move(*schema);
  }
  std::vector<ChangeFits> out;
  for (const NamedEdit& one : edits()) {
    Outline changed = base;
    const auto root = std::ranges::find(changed.records, changed.root_name, &OutlineRecord::name);
    if (!one.edit(changed, *root)) continue;
    number_fields(changed);
    ChangeFits row{.change = std::string(one.change), .fit = {}};
    for (const Language language : languages) {
      const auto at = static_cast<std::size_t>(language);
      auto after = schema_of(changed, language);
      if (!after) return fail(std::move(after.error()));
      auto fit = fit_of(*before[at], **after);
      if (!fit) return fail(std::move(fit.error()));
      row.fit[at] = *fit;
    }
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace weir::contract
