// resolve(): a pair of schemas becomes a flat plan.
#include <algorithm>
#include <set>

#include "base/check.h"
#include "contract/avro/compatibility.h"
#include "contract/avro/image.h"
#include "contract/avro/limits.h"
#include "contract/avro/plan.h"
#include "contract/avro/program.h"

namespace weir::contract::avro {
namespace {

std::string described(const Type& type) {
  return std::string(name_of(type.kind)) + (is_named(type.kind) ? ' ' + type.name : "");
}

class Compiler {
 public:
  Compiler(SchemaPtr writer, SchemaPtr reader)
      : program_(std::make_unique<Plan::Program>()), comparer_(*reader, *writer) {
    program_->writer = std::move(writer);
    program_->reader = std::move(reader);
    set_place(std::string(branch_name(program_->reader->root())));
  }

  Result<std::unique_ptr<const Plan::Program>> compile() {
    value(program_->reader->root_id(), program_->writer->root_id(), 0, 0);
    emit({.code = Code::end});
    // Records are routines, so that recursion is a call and a type used often is compiled once.
    for (std::size_t i = 0; i < routines_.size() && !error_; ++i) {
      const Routine routine = routines_[i];
      starts_.push_back(label());
      routine.skips ? skip_fields(routine.writer) : fields(routine);
      emit({.code = Code::ret});
    }
    if (comparer_.error() && !error_) error_ = comparer_.error();
    if (error_) return fail(*error_);
    for (Op& op : program_->ops)
      if (op.code == Code::call || op.code == Code::skip_call) op.target = starts_[op.target];
    return std::unique_ptr<const Plan::Program>(std::move(program_));
  }

 private:
  struct Routine {
    TypeId reader = 0;
    TypeId writer = 0;
    bool skips = false;
    auto operator<=>(const Routine&) const = default;
  };

  const Type& reader(TypeId id) const { return program_->reader->type(id); }
  const Type& writer(TypeId id) const { return program_->writer->type(id); }

  std::uint32_t emit(Op op) {
    if (program_->ops.size() >= limits::plan_ops) {
      if (!error_) error_ = Error(Errc::limit_exceeded, "avro: the plan is too large");
      return 0;
    }
    program_->ops.push_back(op);
    program_->place_of.push_back(place_);
    return static_cast<std::uint32_t>(program_->ops.size() - 1);
  }
  /// The next instruction is jumped to, so it cannot be folded into the one before it.
  std::uint32_t label() {
    label_ = program_->ops.size();
    return static_cast<std::uint32_t>(label_);
  }
  void set_place(std::string name) {
    place_ = static_cast<std::uint32_t>(program_->places.size());
    program_->places.push_back(std::move(name));
  }
  void emit_fail(std::string reason) {
    program_->reasons.push_back(std::move(reason));
    emit({.code = Code::fail, .arg = static_cast<std::uint32_t>(program_->reasons.size() - 1)});
  }

  std::uint32_t routine(const Routine& wanted) {
    const auto [at, is_new] =
        numbers_.try_emplace(wanted, static_cast<std::uint32_t>(routines_.size()));
    if (is_new) routines_.push_back(wanted);
    return at->second;
  }

  void value(TypeId r, TypeId w, std::uint32_t cell, std::uint32_t branch) {
    if (error_) return;
    if (writer(w).kind == Kind::union_type) {
      choice(writer(w), [&](TypeId from) { value(r, from, cell, branch); });
    } else if (reader(r).kind == Kind::union_type) {
      const std::int64_t taken = branch_for(reader(r), w);
      if (taken < 0)
        return emit_fail("no branch of the reader's union reads " + described(writer(w)));
      const auto index = static_cast<std::uint32_t>(taken);
      value(reader(r).branches[index], w, cell, index);
    } else if (reader(r).kind == writer(w).kind) {
      same_kind(r, w, {.branch = static_cast<std::uint16_t>(branch), .cell = cell});
    } else {
      promoted(reader(r), writer(w), {.branch = static_cast<std::uint16_t>(branch), .cell = cell});
    }
  }

  /// One piece of code a branch, each followed by a jump behind the last.
  template <class Each>
  void choice(const Type& type, const Each& each) {
    const auto count = static_cast<std::uint32_t>(type.branches.size());
    const auto table = static_cast<std::uint32_t>(program_->tables.size());
    program_->tables.resize(table + count);
    emit({.code = Code::choice, .arg = count, .target = table});
    std::vector<std::uint32_t> jumps;
    for (std::uint32_t i = 0; i < count && !error_; ++i) {
      program_->tables[table + i] = label();
      each(type.branches[i]);
      if (i + 1 < count) jumps.push_back(emit({.code = Code::jump}));
    }
    for (const std::uint32_t at : jumps) program_->ops[at].target = label();
    label();
  }

  /// The branch of the reader's union for a type of the writer: the same type by full name or
  /// alias, else by its name alone, else the first that it is promoted to. -1: none.
  std::int64_t branch_for(const Type& choice, TypeId w) {
    const Type& from = writer(w);
    const auto rank = [&](const Type& to) {
      if (to.kind != from.kind) return promotes(from.kind, to.kind) ? 2 : 3;
      if (!is_named(to.kind) || to.name == from.name) return 0;
      if (std::ranges::find(to.aliases, from.name) != to.aliases.end()) return 0;
      return to.short_name() == from.short_name() ? 1 : 3;
    };
    for (int wanted = 0; wanted < 3; ++wanted)
      for (std::size_t i = 0; i < choice.branches.size(); ++i)
        if (rank(reader(choice.branches[i])) == wanted && comparer_.readable(choice.branches[i], w))
          return static_cast<std::int64_t>(i);
    return -1;
  }

  void same_kind(TypeId r, TypeId w, Op op) {
    const Type& to = reader(r);
    const Type& from = writer(w);
    switch (to.kind) {
      case Kind::null: op.code = Code::null; break;
      case Kind::boolean: op.code = Code::boolean; break;
      case Kind::int32: op.code = Code::int32; break;
      case Kind::int64: op.code = Code::int64; break;
      case Kind::float32: op.code = Code::float32; break;
      case Kind::float64: op.code = Code::float64; break;
      case Kind::bytes:
      case Kind::string: op.code = Code::bytes; break;
      case Kind::fixed:
        if (to.size != from.size || !names_fit(to, from)) return unreadable(to, from);
        op.code = Code::fixed;
        op.arg = static_cast<std::uint32_t>(to.size);
        break;
      case Kind::enumeration: return symbols(to, from, op);
      case Kind::array:
      case Kind::map: return blocks(to, from, op);
      case Kind::record:
        if (!names_fit(to, from)) return unreadable(to, from);
        op.code = Code::call;
        op.arg = static_cast<std::uint32_t>(to.fields.size());
        op.target = routine({.reader = r, .writer = w});
        break;
      case Kind::union_type: return check(false, "avro: a union inside a union");
    }
    emit(op);
  }

  void promoted(const Type& to, const Type& from, Op op) {
    if (!promotes(from.kind, to.kind)) return unreadable(to, from);
    if (to.kind == Kind::int64) op.code = Code::int32;
    if (to.kind == Kind::float32) op.code = Code::integer_as_float;
    if (to.kind == Kind::float64)
      op.code = from.kind == Kind::float32 ? Code::float32 : Code::integer_as_double;
    if (to.kind == Kind::bytes) op.code = Code::bytes;
    if (to.kind == Kind::string) op.code = Code::bytes_as_string;
    op.arg = from.kind == Kind::int32 ? 1 : 0;
    emit(op);
  }

  void unreadable(const Type& to, const Type& from) {
    emit_fail("the writer has " + described(from) + ", which cannot be read as " + described(to));
  }

  void symbols(const Type& to, const Type& from, Op op) {
    if (!names_fit(to, from)) return unreadable(to, from);
    op.arg = static_cast<std::uint32_t>(from.symbols.size());
    if (std::ranges::equal(from.symbols, to.symbols)) {
      op.code = Code::symbol;
      emit(op);
      return;
    }
    op.code = Code::mapped_symbol;
    op.target = static_cast<std::uint32_t>(program_->tables.size());
    for (const std::string& symbol : from.symbols) {
      std::int32_t index = to.find_symbol(symbol);
      if (index < 0) index = to.default_symbol;
      program_->tables.push_back(index < 0 ? no_symbol : static_cast<std::uint32_t>(index));
    }
    emit(op);
  }

  static std::uint32_t least(const Type& type, bool keyed) {
    return static_cast<std::uint32_t>(
        std::min<std::size_t>(type.least_bytes + (keyed ? 1 : 0), UINT32_MAX));
  }

  void blocks(const Type& to, const Type& from, Op op) {
    const bool keyed = to.kind == Kind::map;
    op.code = keyed ? Code::map : Code::array;
    op.arg = least(writer(from.element), keyed);
    const std::uint32_t start = emit(op);
    label();
    value(to.element, from.element, keyed ? 1 : 0, 0);
    emit({.code = Code::next, .target = start});
    program_->ops[start].target = label();
  }

  void fields(const Routine& routine) {
    const Type& to = reader(routine.reader);
    const Type& from = writer(routine.writer);
    std::vector<std::int32_t> reader_of(from.fields.size(), -1);
    std::vector<std::size_t> without;
    for (std::size_t i = 0; i < to.fields.size(); ++i) {
      const auto at = writer_field(from, to.fields[i]);
      if (!at) {
        error_ = at.error();
        return;
      }
      // A field of the writer has one value: the first that asks by name or alias gets it.
      if (*at >= 0 && reader_of[static_cast<std::size_t>(*at)] < 0) {
        reader_of[static_cast<std::size_t>(*at)] = static_cast<std::int32_t>(i);
      } else {
        without.push_back(i);
      }
    }
    for (std::size_t i = 0; i < from.fields.size() && !error_; ++i) {
      const TypeId type = from.fields[i].type;
      const std::int32_t index = reader_of[i];
      if (index < 0) {
        set_place(from.name + '.' + from.fields[i].name);
        skip(type);
        continue;
      }
      const Field& field = to.fields[static_cast<std::size_t>(index)];
      set_place(to.name + '.' + field.name);
      value(field.type, type, static_cast<std::uint32_t>(index), 0);
    }
    for (const std::size_t i : without) default_of(to, i);
  }

  void default_of(const Type& record, std::size_t index) {
    const Field& field = record.fields[index];
    set_place(record.name + '.' + field.name);
    if (!field.default_bytes)
      return emit_fail(field.default_json
                           ? "its default does not fit its type"
                           : "the writer has no such field, and there is no default");
    Cell image{};
    if (!read_image(*program_->reader, field, program_->image_memory, image)) {
      error_ = Error(Errc::limit_exceeded, "avro: the defaults of the reader are too large");
      return;
    }
    program_->images.push_back(image);
    emit({.code = Code::image,
          .branch = static_cast<std::uint16_t>(image.branch),
          .cell = static_cast<std::uint32_t>(index),
          .arg = static_cast<std::uint32_t>(program_->images.size() - 1)});
  }

  void skip(TypeId w) {
    const Type& from = writer(w);
    switch (from.kind) {
      case Kind::null: return;
      case Kind::boolean: return skip_many(Code::skip_bytes, 1);
      case Kind::int32:
      case Kind::int64:
      case Kind::enumeration: return skip_many(Code::skip_varints, 1);
      case Kind::float32: return skip_many(Code::skip_bytes, 4);
      case Kind::float64: return skip_many(Code::skip_bytes, 8);
      case Kind::fixed: return skip_many(Code::skip_bytes, static_cast<std::uint32_t>(from.size));
      case Kind::bytes:
      case Kind::string: return skip_many(Code::skip_runs, 1);
      case Kind::array:
      case Kind::map: {
        const bool keyed = from.kind == Kind::map;
        const std::uint32_t start =
            emit({.code = keyed ? Code::skip_keyed_blocks : Code::skip_blocks,
                  .arg = least(writer(from.element), keyed)});
        label();
        skip(from.element);
        emit({.code = Code::skip_next, .target = start});
        program_->ops[start].target = label();
        return;
      }
      case Kind::record:
        emit({.code = Code::skip_call, .target = routine({.writer = w, .skips = true})});
        return;
      case Kind::union_type: return choice(from, [&](TypeId branch) { skip(branch); });
    }
  }

  /// Neighbours of one kind become one instruction.
  void skip_many(Code code, std::uint32_t count) {
    auto& ops = program_->ops;
    const bool folds =
        ops.size() > label_ && ops.back().code == code && ops.back().arg <= UINT32_MAX - count;
    if (folds) {
      ops.back().arg += count;
    } else {
      emit({.code = code, .arg = count});
    }
  }

  void skip_fields(TypeId w) {
    for (const Field& field : writer(w).fields) {
      set_place(writer(w).name + '.' + field.name);
      skip(field.type);
    }
  }

  std::unique_ptr<Plan::Program> program_;
  Comparer comparer_;
  std::vector<Routine> routines_;
  std::map<Routine, std::uint32_t> numbers_;
  std::vector<std::uint32_t> starts_;
  std::size_t label_ = 0;
  std::uint32_t place_ = 0;
  std::optional<Error> error_;
};

std::string refusal(const std::vector<Difference>& differences) {
  constexpr std::size_t shown = 3;
  std::string out = "avro: the reader's schema does not fit the writer's: ";
  for (std::size_t i = 0; i < std::min(shown, differences.size()); ++i)
    out += (i == 0 ? "" : "; ") + differences[i].text();
  if (differences.size() > shown)
    out += "; and " + std::to_string(differences.size() - shown) + " more";
  return out;
}

}  // namespace

Result<PlanPtr> resolve(SchemaPtr writer, SchemaPtr reader, ResolveOptions options) {
  if (options.strict) {
    const auto differences = compare(*reader, *writer);
    if (!differences) return fail(differences.error());
    if (!differences->empty()) return fail(Errc::invalid_record, refusal(*differences));
  }
  auto program = Compiler(std::move(writer), std::move(reader)).compile();
  if (!program) return fail(std::move(program.error()));
  return std::make_shared<const Plan>(std::move(*program));
}

Result<PlanPtr> PlanCache::get(const SchemaPtr& writer, const SchemaPtr& reader) {
  const auto key = std::pair(writer.get(), reader.get());
  if (const auto found = plans_.find(key); found != plans_.end()) return found->second.plan;
  if (plans_.size() >= limits::cached_plans) plans_.clear();
  return plans_.emplace(key, Entry{writer, reader, resolve(writer, reader)}).first->second.plan;
}

}  // namespace weir::contract::avro
