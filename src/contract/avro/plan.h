// Reading data of one schema as another: resolved once into a flat plan, then executed.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "contract/avro/arena.h"
#include "contract/avro/schema.h"
#include "contract/avro/value.h"

namespace weir::contract::avro {

struct ResolveOptions {
  /// False: a part that the reader cannot take fails when such data turns up, as the specification
  /// allows; true: the pair is refused at once, with everything that is wrong.
  bool strict = true;
};

/// How data of `writer` becomes values of `reader`. Immutable; keeps both schemas, and the defaults
/// that its values refer to: a value lives no longer than its plan. Threads: any.
class Plan {
 public:
  struct Program;
  explicit Plan(std::unique_ptr<const Program> program);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan();

  const Schema& writer() const;
  const Schema& reader() const;
  const Program& program() const { return *program_; }
  /// The instructions, one a line, for tests and for people who wonder.
  std::string listing() const;

 private:
  std::unique_ptr<const Program> program_;
};
/// Shared between a cache and whoever decodes.
using PlanPtr = std::shared_ptr<const Plan>;

/// Errc::invalid_record with the first differences if the schemas do not fit; limit_exceeded.
Result<PlanPtr> resolve(SchemaPtr writer, SchemaPtr reader, ResolveOptions options = {});

struct DecodeOptions {
  /// Strings, bytes and fixed point into the input, which must outlive the value, and not into the
  /// arena.
  bool borrow = false;
};

/// Decodes a value that fills `bytes`. The value lives in `arena` (until its reset), in the plan,
/// and when borrowing in `bytes`. Whatever comes in: Errc::malformed, or limit_exceeded, with the
/// place: `avro: shop.Order.lines: at byte 17: 9000 elements, 12 bytes left`.
Result<View> decode(const Plan& plan, std::string_view bytes, Arena& arena,
                    DecodeOptions options = {});
/// The same for a value at the front of `bytes`, which it is cut off.
Result<View> decode_front(const Plan& plan, std::string_view& bytes, Arena& arena,
                          DecodeOptions options = {});

/// Plans by pair of schemas, known by identity: give the same SchemaPtr for the same schema.
/// Refusals are remembered too. Threads: its owner's.
class PlanCache {
 public:
  /// The plan, made now if it is not there.
  Result<PlanPtr> get(const SchemaPtr& writer, const SchemaPtr& reader);
  std::size_t size() const { return plans_.size(); }

 private:
  struct Entry {
    SchemaPtr writer;  // kept, so that no other schema gets their address
    SchemaPtr reader;
    Result<PlanPtr> plan;
  };
  std::map<std::pair<const Schema*, const Schema*>, Entry> plans_;
};

}  // namespace weir::contract::avro
