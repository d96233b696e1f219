// The instructions of a plan. See execute.cc for what each does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "contract/avro/arena.h"
#include "contract/avro/plan.h"
#include "contract/avro/value.h"

namespace weir::contract::avro {

/// The groups follow each other: the machine tells them apart by their first codes.
enum class Code : std::uint8_t {
  // Read a value of the writer into cells[cell], with `branch`.
  null,
  boolean,
  int32,
  int64,
  float32,
  float64,
  integer_as_float,   // of an int or long
  integer_as_double,  // of an int or long
  bytes,              // or string
  bytes_as_string,
  fixed,          // arg bytes
  symbol,         // one of arg
  mapped_symbol,  // one of arg, by the table from target on
  image,          // the default images[arg]; reads nothing
  // Go elsewhere.
  call,       // a record of arg cells, by the routine at target
  skip_call,  // by the routine at target, which reads into nothing
  ret,
  jump,    // to target
  choice,  // one of arg places, by the table from target on
  array,   // the next instructions read an element of at least arg bytes, up to next; then target
  map,
  next,  // of the array or map whose instruction is at target
  skip_blocks,
  skip_keyed_blocks,
  skip_next,
  // Read without keeping: arg of them.
  skip_varints,
  skip_bytes,
  skip_runs,  // a length and that many bytes
  // Ends.
  fail,  // with reasons[arg]
  end,
};

struct Op {
  Code code = Code::end;
  std::uint16_t branch = 0;
  std::uint32_t cell = 0;
  std::uint32_t arg = 0;
  std::uint32_t target = 0;
};
static_assert(sizeof(Op) == 16);

struct Plan::Program {
  SchemaPtr writer;
  SchemaPtr reader;
  std::vector<Op> ops;
  /// For each instruction the number of its place in `places`, for messages.
  std::vector<std::uint32_t> place_of;
  std::vector<std::string> places;
  std::vector<std::uint32_t> tables;
  std::vector<Cell> images;
  std::vector<std::string> reasons;
  Arena image_memory;
};

/// In a table of symbols: the reader has none for it.
inline constexpr std::uint32_t no_symbol = UINT32_MAX;

}  // namespace weir::contract::avro
