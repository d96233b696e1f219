// Executes a plan over one encoded value.
#include <weir/error.h>

#include <algorithm>
#include <cstring>

#include "contract/avro/limits.h"
#include "contract/avro/plan.h"
#include "contract/avro/program.h"
#include "contract/avro/utf8.h"
#include "contract/avro/wire.h"

namespace weir::contract::avro {
namespace {

enum class Fault : std::uint8_t {
  none,
  number,
  int_range,
  boolean,
  cut_short,
  length,
  symbol,
  mapped_symbol,
  branch,
  block_count,
  block_size,
  block_end,
  empty_elements,
  depth,
  memory,
  unresolved,
};

std::string_view text_of(Fault fault) {
  switch (fault) {
    case Fault::none: return "";
    case Fault::number: return "a number is cut short or longer than 64 bits";
    case Fault::int_range: return "an int is beyond 32 bits";
    case Fault::boolean: return "a boolean is neither 0 nor 1";
    case Fault::cut_short: return "the data is cut short";
    case Fault::length: return "a length is negative or over what is left";
    case Fault::symbol: return "the enum has no symbol of that number";
    case Fault::mapped_symbol: return "the reader's enum lacks the symbol and has no default";
    case Fault::branch: return "the union has no branch of that number";
    case Fault::block_count: return "a block has more elements than fit into what is left";
    case Fault::block_size: return "the size of a block is negative or over what is left";
    case Fault::block_end: return "a block does not end where it says";
    case Fault::empty_elements: return "too many elements that take no bytes";
    case Fault::depth: return "values lie inside each other too deep";
    case Fault::memory: return "the value takes too much memory";
    case Fault::unresolved: return "";
  }
  return "";
}

/// Where to go on: behind a call, or in the blocks of an array or map.
struct Frame {
  const Op* op;           // the call, or the array's instruction
  Cell* cells;            // of whoever began it
  Cell* items;            // of the array
  const char* block_end;  // nullptr: the block does not say
  std::uint64_t left;     // elements of the block
  std::uint32_t size;     // elements so far
  std::uint32_t capacity;
};

/// What changes with every instruction. A local of run() whose functions are inlined, so that it
/// lies in registers.
struct State {
  const char* p;  // the next byte
  const Op* op;
  Cell* cells;
  Frame* top;  // the next free one
};

template <class T>
T load(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// Executes a plan over one value. Each step gives the fault that it met.
template <bool borrow>
class Machine {
 public:
  Machine(const Plan::Program& program, std::string_view bytes, Arena& arena)
      : program_(program),
        ops_(program.ops.data()),
        p_(bytes.data()),
        end_(p_ + bytes.size()),
        arena_(arena) {}

  Fault run(Cell* root) {
    State s{.p = p_, .op = ops_, .cells = root, .top = frames_};
    Fault fault = Fault::none;
    while (fault == Fault::none) {
      if (s.op->code < Code::call) {
        fault = leaf(*s.op, s.p, s.cells[s.op->cell]);
        if (fault == Fault::none) ++s.op;
      } else if (s.op->code < Code::skip_varints) {
        fault = go(s);
      } else if (s.op->code < Code::fail) {
        fault = skip(*s.op, s.p);
        if (fault == Fault::none) ++s.op;
      } else {
        fault = s.op->code == Code::fail ? Fault::unresolved : Fault::none;
        break;
      }
    }
    p_ = s.p;
    stopped_at_ = s.op;
    return fault;
  }
  const char* position() const { return p_; }
  /// The instruction that ended it.
  const Op* op() const { return stopped_at_; }

 private:
  /// Reads one value into its cell.
  Fault leaf(const Op& op, const char*& p, Cell& cell) {
    cell.branch = op.branch;
    switch (op.code) {
      case Code::null: cell.integer = 0; return Fault::none;
      case Code::boolean:
        if (p == end_) return Fault::cut_short;
        cell.integer = static_cast<unsigned char>(*p++);
        return cell.integer <= 1 ? Fault::none : Fault::boolean;
      case Code::int32:
        if (!take_long(p, end_, cell.integer)) return Fault::number;
        return is_int(cell.integer) ? Fault::none : Fault::int_range;
      case Code::int64: return take_long(p, end_, cell.integer) ? Fault::none : Fault::number;
      case Code::float32:
        if (end_ - p < 4) return Fault::cut_short;
        cell.real = static_cast<double>(load<float>(p));
        p += 4;
        return Fault::none;
      case Code::float64:
        if (end_ - p < 8) return Fault::cut_short;
        cell.real = load<double>(p);
        p += 8;
        return Fault::none;
      case Code::integer_as_float:
      case Code::integer_as_double: return integer_as_real(op, p, cell);
      case Code::bytes: return run_of_bytes(p, cell);
      case Code::bytes_as_string: return bytes_as_string(p, cell);
      case Code::fixed:
        if (static_cast<std::size_t>(end_ - p) < op.arg) return Fault::cut_short;
        if (!keep(p, op.arg, cell)) return Fault::memory;
        p += op.arg;
        return Fault::none;
      case Code::symbol:
        if (!take_long(p, end_, cell.integer)) return Fault::number;
        return static_cast<std::uint64_t>(cell.integer) < op.arg ? Fault::none : Fault::symbol;
      case Code::mapped_symbol: return mapped_symbol(op, p, cell);
      default: cell = program_.images[op.arg]; return Fault::none;
    }
  }

  Fault integer_as_real(const Op& op, const char*& p, Cell& cell) {
    std::int64_t integer = 0;
    if (!take_long(p, end_, integer)) return Fault::number;
    if (op.arg != 0 && !is_int(integer)) return Fault::int_range;
    cell.real = op.code == Code::integer_as_float ? static_cast<double>(static_cast<float>(integer))
                                                  : static_cast<double>(integer);
    return Fault::none;
  }
  Fault mapped_symbol(const Op& op, const char*& p, Cell& cell) {
    if (!take_long(p, end_, cell.integer)) return Fault::number;
    if (static_cast<std::uint64_t>(cell.integer) >= op.arg) return Fault::symbol;
    const std::uint32_t mapped =
        program_.tables[op.target + static_cast<std::size_t>(cell.integer)];
    cell.integer = mapped;
    return mapped != no_symbol ? Fault::none : Fault::mapped_symbol;
  }
  Fault run_of_bytes(const char*& p, Cell& cell) {
    std::size_t length = 0;
    if (!take_length(p, end_, length)) return Fault::length;
    if (!keep(p, length, cell)) return Fault::memory;
    p += length;
    return Fault::none;
  }
  /// Bytes that are no text become it, as in Java's library.
  Fault bytes_as_string(const char*& p, Cell& cell) {
    const Fault fault = run_of_bytes(p, cell);
    if (fault != Fault::none || is_utf8(cell.text())) return fault;
    const std::string_view text = arena_.copy(repaired_utf8(cell.text()));
    if (text.data() == nullptr) return Fault::memory;
    cell.bytes = text.data();
    cell.size = static_cast<std::uint32_t>(text.size());
    return Fault::none;
  }
  bool keep(const char* bytes, std::size_t size, Cell& out) {
    out.size = static_cast<std::uint32_t>(size);
    out.bytes = borrow ? bytes : arena_.copy({bytes, size}).data();
    return out.bytes != nullptr;
  }

  /// Reads values without keeping them.
  Fault skip(const Op& op, const char*& p) const {
    if (op.code == Code::skip_bytes) {
      if (static_cast<std::size_t>(end_ - p) < op.arg) return Fault::cut_short;
      p += op.arg;
      return Fault::none;
    }
    if (op.code == Code::skip_runs) {
      for (std::uint32_t i = 0; i < op.arg; ++i)
        if (!skip_run(p)) return Fault::length;
      return Fault::none;
    }
    for (std::uint32_t i = 0; i < op.arg; ++i) {
      std::int64_t ignored = 0;
      if (!take_long(p, end_, ignored)) return Fault::number;
    }
    return Fault::none;
  }
  bool skip_run(const char*& p) const {
    std::size_t length = 0;
    if (!take_length(p, end_, length)) return false;
    p += length;
    return true;
  }

  /// Goes elsewhere.
  Fault go(State& s) {
    switch (s.op->code) {
      case Code::call: return call(s);
      case Code::skip_call:
        if (!push(s)) return Fault::depth;
        s.op = ops_ + s.op->target;
        return Fault::none;
      case Code::ret:
        --s.top;
        s.op = s.top->op + 1;
        s.cells = s.top->cells;
        return Fault::none;
      case Code::jump: s.op = ops_ + s.op->target; return Fault::none;
      case Code::choice: return choice(s);
      case Code::array:
      case Code::map: return push(s) ? next_block(s) : Fault::depth;
      case Code::next: return next_element(s);
      case Code::skip_blocks:
      case Code::skip_keyed_blocks: return push(s) ? next_skipped_block(s) : Fault::depth;
      default: return next_skipped(s);
    }
  }

  bool push(State& s) {
    if (s.top == frames_ + limits::value_depth) return false;
    *s.top++ = {.op = s.op,
                .cells = s.cells,
                .items = nullptr,
                .block_end = nullptr,
                .left = 0,
                .size = 0,
                .capacity = 0};
    return true;
  }

  Fault call(State& s) {
    Cell* fields = arena_.make<Cell>(s.op->arg);
    if (fields == nullptr) return Fault::memory;
    Cell& cell = s.cells[s.op->cell];
    cell.items = fields;
    cell.size = s.op->arg;
    cell.branch = s.op->branch;
    if (s.top == frames_ + limits::value_depth) return Fault::depth;
    s.top->op = s.op;
    s.top->cells = s.cells;
    ++s.top;
    s.cells = fields;
    s.op = ops_ + s.op->target;
    return Fault::none;
  }

  Fault choice(State& s) const {
    std::int64_t branch = 0;
    if (!take_long(s.p, end_, branch)) return Fault::number;
    if (static_cast<std::uint64_t>(branch) >= s.op->arg) return Fault::branch;
    s.op = ops_ + program_.tables[s.op->target + static_cast<std::size_t>(branch)];
    return Fault::none;
  }

  static std::uint32_t stride_of(const Frame& frame) { return frame.op->code == Code::map ? 2 : 1; }

  Fault begin_element(State& s) {
    const Frame& frame = s.top[-1];
    s.op = frame.op + 1;
    if (frame.op->code != Code::map) return Fault::none;
    s.cells[0].branch = 0;
    return run_of_bytes(s.p, s.cells[0]);
  }

  Fault next_element(State& s) {
    Frame& frame = s.top[-1];
    ++frame.size;
    if (--frame.left == 0) {
      if (frame.block_end != nullptr && s.p != frame.block_end) return Fault::block_end;
      return next_block(s);
    }
    s.cells += stride_of(frame);
    return begin_element(s);
  }

  Fault next_block(State& s) {
    Frame& frame = s.top[-1];
    s.op = frame.op;
    const Fault fault = block_head(s.p, frame);
    if (fault != Fault::none) return fault;
    if (frame.left != 0) {
      if (!grow(frame)) return Fault::memory;
      s.cells = frame.items + std::size_t{frame.size} * stride_of(frame);
      return begin_element(s);
    }
    s.cells = frame.cells;
    Cell& cell = s.cells[s.op->cell];
    cell.items = frame.items;
    cell.size = frame.size;
    cell.branch = s.op->branch;
    s.op = ops_ + s.op->target;
    --s.top;
    return Fault::none;
  }

  /// How many elements the next block has, none at the end.
  Fault block_head(const char*& p, Frame& frame) const {
    std::int64_t count = 0;
    if (!take_long(p, end_, count)) return Fault::number;
    frame.block_end = nullptr;
    const char* block_end = end_;
    if (count < 0) {
      std::int64_t size = 0;
      if (count == INT64_MIN || !take_long(p, end_, size)) return Fault::number;
      if (size < 0 || size > end_ - p) return Fault::block_size;
      count = -count;
      block_end = frame.block_end = p + size;
    }
    frame.left = static_cast<std::uint64_t>(count);
    const std::uint32_t least = frame.op->arg;
    if (least == 0)
      return frame.left <= limits::empty_elements - frame.size ? Fault::none
                                                               : Fault::empty_elements;
    return frame.left <= static_cast<std::uint64_t>(block_end - p) / least ? Fault::none
                                                                           : Fault::block_count;
  }

  /// Makes room for the elements of a block, doubling, so that many small blocks cost no more than
  /// one large.
  bool grow(Frame& frame) {
    const std::uint64_t needed = frame.size + frame.left;
    if (needed <= frame.capacity) return true;
    const std::uint64_t capacity = std::max<std::uint64_t>(needed, 2ULL * frame.capacity);
    if (capacity > UINT32_MAX) return false;
    const std::size_t stride = stride_of(frame);
    Cell* items = arena_.make<Cell>(capacity * stride);
    if (items == nullptr) return false;
    if (frame.size != 0) std::memcpy(items, frame.items, frame.size * stride * sizeof(Cell));
    frame.items = items;
    frame.capacity = static_cast<std::uint32_t>(capacity);
    return true;
  }

  Fault begin_skipped(State& s) const {
    s.op = s.top[-1].op + 1;
    const bool keyed = s.top[-1].op->code == Code::skip_keyed_blocks;
    return !keyed || skip_run(s.p) ? Fault::none : Fault::length;
  }

  Fault next_skipped(State& s) const {
    Frame& frame = s.top[-1];
    ++frame.size;
    return --frame.left == 0 ? next_skipped_block(s) : begin_skipped(s);
  }

  /// A block that says its size is skipped whole.
  Fault next_skipped_block(State& s) const {
    Frame& frame = s.top[-1];
    s.op = frame.op;
    do {
      const Fault fault = block_head(s.p, frame);
      if (fault != Fault::none) return fault;
      if (frame.block_end == nullptr) break;
      if (frame.op->arg == 0) frame.size += static_cast<std::uint32_t>(frame.left);
      s.p = frame.block_end;
    } while (frame.left != 0);
    if (frame.left != 0) return begin_skipped(s);
    s.cells = frame.cells;
    s.op = ops_ + s.op->target;
    --s.top;
    return Fault::none;
  }

  const Plan::Program& program_;
  const Op* const ops_;
  const char* p_;
  const char* const end_;
  const Op* stopped_at_ = nullptr;
  Arena& arena_;
  Frame frames_[limits::value_depth];
};

Error described(const Plan::Program& program, Fault fault, const Op* op, std::size_t at) {
  const auto index = static_cast<std::size_t>(op - program.ops.data());
  std::string text =
      "avro: " + program.places[program.place_of[index]] + ": at byte " + std::to_string(at) + ": ";
  text += fault == Fault::unresolved ? std::string_view(program.reasons[op->arg]) : text_of(fault);
  return {fault == Fault::memory ? Errc::limit_exceeded : Errc::malformed, std::move(text)};
}

template <bool borrow>
Result<View> run(const Plan& plan, std::string_view& bytes, Arena& arena) {
  const Plan::Program& program = plan.program();
  if (bytes.data() == nullptr) bytes = "";  // a cell's bytes are never nullptr
  Cell* root = arena.make<Cell>(1);
  if (root == nullptr || bytes.size() > UINT32_MAX)
    return fail(Errc::limit_exceeded, "avro: the data is too large for one value");
  Machine<borrow> machine(program, bytes, arena);
  const Fault fault = machine.run(root);
  const auto used = static_cast<std::size_t>(machine.position() - bytes.data());
  if (fault != Fault::none) [[unlikely]]
    return fail(described(program, fault, machine.op(), used));
  bytes.remove_prefix(used);
  return View(*program.reader, *root);
}

}  // namespace

Result<View> decode_front(const Plan& plan, std::string_view& bytes, Arena& arena,
                          DecodeOptions options) {
  return options.borrow ? run<true>(plan, bytes, arena) : run<false>(plan, bytes, arena);
}

Result<View> decode(const Plan& plan, std::string_view bytes, Arena& arena, DecodeOptions options) {
  std::string_view rest = bytes;
  auto value = decode_front(plan, rest, arena, options);
  if (value && !rest.empty())
    return fail(Errc::malformed, "avro: " + std::to_string(rest.size()) +
                                     " bytes behind the value of " +
                                     std::to_string(bytes.size() - rest.size()));
  return value;
}

Plan::Plan(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Plan::~Plan() = default;
const Schema& Plan::writer() const { return *program_->writer; }
const Schema& Plan::reader() const { return *program_->reader; }

std::string Plan::listing() const {
  constexpr std::string_view names[] = {"null",
                                        "boolean",
                                        "int32",
                                        "int64",
                                        "float32",
                                        "float64",
                                        "integer_as_float",
                                        "integer_as_double",
                                        "bytes",
                                        "bytes_as_string",
                                        "fixed",
                                        "symbol",
                                        "mapped_symbol",
                                        "image",
                                        "call",
                                        "skip_call",
                                        "ret",
                                        "jump",
                                        "choice",
                                        "array",
                                        "map",
                                        "next",
                                        "skip_blocks",
                                        "skip_keyed_blocks",
                                        "skip_next",
                                        "skip_varints",
                                        "skip_bytes",
                                        "skip_runs",
                                        "fail",
                                        "end"};
  std::string out;
  for (std::size_t i = 0; i < program_->ops.size(); ++i) {
    const Op& op = program_->ops[i];
    out += std::to_string(i) + ' ' + std::string(names[static_cast<std::size_t>(op.code)]) +
           " cell " + std::to_string(op.cell) + " branch " + std::to_string(op.branch) + " arg " +
           std::to_string(op.arg) + " target " + std::to_string(op.target) + '\n';
  }
  return out;
}

}  // namespace weir::contract::avro
