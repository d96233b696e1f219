#include "contract/avro/compatibility.h"

#include <algorithm>
#include <array>

#include "contract/avro/limits.h"

namespace weir::contract::avro {

std::string_view name_of(Mismatch kind) {
  constexpr std::array<std::string_view, 6> names = {
      "NAME_MISMATCH",        "FIXED_SIZE_MISMATCH",
      "MISSING_ENUM_SYMBOLS", "READER_FIELD_MISSING_DEFAULT_VALUE",
      "TYPE_MISMATCH",        "MISSING_UNION_BRANCH"};
  return names[static_cast<std::size_t>(kind)];
}

bool names_fit(const Type& reader, const Type& writer) {
  return reader.short_name() == writer.short_name() ||
         std::ranges::find(reader.aliases, writer.name) != reader.aliases.end();
}

Result<std::int32_t> writer_field(const Type& writer, const Field& field) {
  std::int32_t found = writer.find_field(field.name);
  for (const std::string& alias : field.aliases) {
    const std::int32_t other = writer.find_field(alias);
    if (other < 0) continue;
    if (found >= 0)
      return fail(Errc::malformed, "avro: the field " + field.name +
                                       " stands, by its aliases, for two fields of " + writer.name +
                                       ": " + writer.fields[static_cast<std::size_t>(found)].name +
                                       " and " + alias);
    found = other;
  }
  return found;
}

bool promotes(Kind writer, Kind reader) {
  switch (reader) {
    case Kind::int64: return writer == Kind::int32;
    case Kind::float32: return writer == Kind::int32 || writer == Kind::int64;
    case Kind::float64:
      return writer == Kind::int32 || writer == Kind::int64 || writer == Kind::float32;
    case Kind::bytes: return writer == Kind::string;
    case Kind::string: return writer == Kind::bytes;
    default: return false;
  }
}

namespace {

/// "an int": what a type is called in a message.
std::string described(const Type& type) {
  if (!is_named(type.kind)) return std::string(name_of(type.kind));
  return std::string(name_of(type.kind)) + ' ' + type.name;
}

/// What reads a kind beside itself: "float and double".
std::string readers_of(Kind writer) {
  std::vector<std::string_view> names;
  for (const Kind reader : {Kind::int64, Kind::float32, Kind::float64, Kind::bytes, Kind::string})
    if (promotes(writer, reader)) names.push_back(name_of(reader));
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += i + 1 == names.size() ? " and " : ", ";
    out += names[i];
  }
  if (!out.empty()) out += names.size() == 1 ? " reads it too" : " read it too";
  return out;
}

}  // namespace

Result<std::vector<Difference>> compare(const Schema& reader, const Schema& writer) {
  Comparer comparer(reader, writer);
  auto differences = comparer.differences();
  if (comparer.error()) return fail(*comparer.error());
  return differences;
}

std::vector<Difference> Comparer::differences() {
  std::vector<Difference> out;
  flatten(*types("", reader_.root_id(), writer_.root_id()), out);
  return out;
}

void Comparer::flatten(const Parts& parts, std::vector<Difference>& out) {
  for (const Part& part : parts) {
    if (out.size() >= limits::listed_differences) return;
    part.inside != nullptr ? flatten(*part.inside, out) : out.push_back(part.own);
  }
}

void Comparer::merge(Parts& into, const Found& found) {
  if (!found->empty()) into.push_back({.own = {}, .inside = found});
}

Comparer::Found Comparer::types(std::string token, TypeId reader, TypeId writer) {
  static const Found none = std::make_shared<const Parts>();
  const auto key = std::pair(reader, writer);
  if (const auto known = known_.find(key); known != known_.end()) {
    // A pair that is being compared counts as compatible until something in it proves otherwise.
    return known->second != nullptr ? known->second : none;
  }
  if (error_) return none;
  if (depth_ >= limits::compared_depth || ++visited_ > limits::compared_pairs) {
    error_ = Error(Errc::limit_exceeded, "avro: the schemas are too large to compare");
    return none;
  }
  // Plain primitives are one type wherever they stand, and each place has its own difference.
  const bool remembered = reader > static_cast<TypeId>(Kind::string);
  if (remembered) known_.emplace(key, nullptr);
  ++depth_;
  path_.push_back(std::move(token));
  Parts out;
  const bool same = reader_.type(reader).kind == writer_.type(writer).kind;
  same ? same_kind(reader, writer, out) : other_kind(reader, writer, out);
  path_.pop_back();
  --depth_;
  Found found = out.empty() ? none : std::make_shared<const Parts>(std::move(out));
  if (remembered) known_[key] = found;
  return found;
}

Comparer::Found Comparer::from_root(TypeId reader, TypeId writer) {
  const auto before = std::exchange(path_, {});
  Found found = types("", reader, writer);
  path_ = before;
  return found;
}

void Comparer::same_kind(TypeId reader, TypeId writer, Parts& out) {
  const Type& r = reader_.type(reader);
  const Type& w = writer_.type(writer);
  switch (r.kind) {
    case Kind::array: return merge(out, types("items", r.element, w.element));
    case Kind::map: return merge(out, types("values", r.element, w.element));
    case Kind::fixed:
      names(r, w, out);
      if (r.size != w.size) {
        path_.emplace_back("size");
        add(Mismatch::fixed_size,
            "the writer's " + described(w) + " has " + std::to_string(w.size) +
                " bytes, the reader's " + std::to_string(r.size),
            "keep the size; for another one add a field with a type of its own and a default", out);
        path_.pop_back();
      }
      return;
    case Kind::enumeration: names(r, w, out); return symbols(r, w, out);
    case Kind::record: names(r, w, out); return fields(reader, writer, out);
    case Kind::union_type: return unions(reader, writer, out);
    default: return;
  }
}

void Comparer::other_kind(TypeId reader, TypeId writer, Parts& out) {
  const Type& r = reader_.type(reader);
  const Type& w = writer_.type(writer);
  if (w.kind == Kind::union_type) {
    for (std::size_t i = 0; i < w.branches.size(); ++i)
      merge(out, types(std::to_string(i), reader, w.branches[i]));
  } else if (r.kind == Kind::union_type) {
    const auto reads = [&](TypeId branch) { return from_root(branch, writer)->empty(); };
    if (std::ranges::none_of(r.branches, reads)) missing_branch(reader, writer, out);
  } else if (!promotes(w.kind, r.kind)) {
    mismatch(r, w, out);
  }
}

void Comparer::names(const Type& reader, const Type& writer, Parts& out) {
  if (names_fit(reader, writer)) return;
  path_.emplace_back("name");
  add(Mismatch::name,
      "the writer's " + described(writer) + " is called otherwise than " + reader.name,
      "keep the name, or add \"" + writer.name + "\" to the aliases of " + reader.name, out);
  path_.pop_back();
}

void Comparer::symbols(const Type& reader, const Type& writer, Parts& out) {
  if (reader.default_symbol >= 0) return;
  std::string missing;
  for (const std::string& symbol : writer.symbols)
    if (reader.find_symbol(symbol) < 0) missing += (missing.empty() ? "" : ", ") + symbol;
  if (missing.empty()) return;
  path_.emplace_back("symbols");
  add(Mismatch::enum_symbols, "the reader's " + described(reader) + " lacks " + missing,
      "keep the symbols, or give the reader's enum a default", out);
  path_.pop_back();
}

void Comparer::fields(TypeId reader, TypeId writer, Parts& out) {
  const Type& r = reader_.type(reader);
  const Type& w = writer_.type(writer);
  const std::string before = field_;
  path_.emplace_back("fields");
  for (std::size_t i = 0; i < r.fields.size() && !error_; ++i) {
    const Field& field = r.fields[i];
    const auto from = writer_field(w, field);
    if (!from) {
      error_ = from.error();
      break;
    }
    path_.push_back(std::to_string(i));
    field_ = r.name + '.' + field.name;
    if (*from >= 0) {
      merge(out, types("type", field.type, w.fields[static_cast<std::size_t>(*from)].type));
    } else if (!field.default_json) {
      // Java's library compares an enum that has a default with the record, which never fits.
      const Type& t = reader_.type(field.type);
      const bool enum_default = t.kind == Kind::enumeration && t.default_symbol >= 0;
      if (enum_default) path_.emplace_back("type");
      add(enum_default ? Mismatch::type : Mismatch::field_without_default,
          "the writer's " + described(w) + " has no such field, and there is no default",
          "give the field a default, or an alias that names a field of the writer", out);
      if (enum_default) path_.pop_back();
    }
    path_.pop_back();
  }
  path_.pop_back();
  field_ = before;
}

void Comparer::unions(TypeId reader, TypeId writer, Parts& out) {
  const Type& w = writer_.type(writer);
  for (std::size_t i = 0; i < w.branches.size(); ++i) {
    if (from_root(reader, w.branches[i])->empty()) continue;
    path_.push_back(std::to_string(i));
    missing_branch(reader, w.branches[i], out);
    path_.pop_back();
  }
}

/// No branch of the reader's union takes the writer's type; the branch that was meant, if there is
/// one of that kind, says why.
void Comparer::missing_branch(TypeId reader, TypeId writer, Parts& out) {
  const Type& w = writer_.type(writer);
  std::string why = "no branch of the reader's union reads " + described(w);
  std::string fix = "keep a branch that reads " + described(w);
  for (const TypeId branch : reader_.type(reader).branches) {
    const Type& r = reader_.type(branch);
    if (r.kind != w.kind || (is_named(r.kind) && !names_fit(r, w))) continue;
    const Found inner = from_root(branch, writer);
    if (inner->empty()) continue;
    std::vector<Difference> reasons;
    flatten(*inner, reasons);
    why += ": " + (reasons[0].field.empty() ? "" : reasons[0].field + ": ") + reasons[0].why;
    fix = reasons[0].fix;
    break;
  }
  add(Mismatch::union_branch, std::move(why), std::move(fix), out);
}

void Comparer::mismatch(const Type& reader, const Type& writer, Parts& out) {
  std::string fix = "keep " + described(writer);
  if (const std::string others = readers_of(writer.kind); !others.empty()) fix += "; " + others;
  add(Mismatch::type,
      "the writer has " + described(writer) + ", which cannot be read as " + described(reader),
      std::move(fix), out);
}

void Comparer::add(Mismatch kind, std::string why, std::string fix, Parts& out) const {
  Difference difference{.rule = name_of(kind),
                        .at = "/",
                        .field = field_,
                        .why = std::move(why),
                        .fix = std::move(fix)};
  for (std::size_t i = 1; i < path_.size(); ++i) {
    if (i > 1) difference.at += '/';
    difference.at += path_[i];
  }
  out.push_back({.own = std::move(difference), .inside = nullptr});
}

}  // namespace weir::contract::avro
