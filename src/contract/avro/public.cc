// What <weir/avro.h> and <weir/avro_codec.h> leave to the library.
#include <weir/avro.h>
#include <weir/avro_codec.h>

#include "contract/avro/plan.h"
#include "contract/avro/schema.h"

namespace weir {
inline namespace v1 {
namespace avro {

std::string Uuid::to_string() const {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += digits[bytes[i] >> 4U];
    out += digits[bytes[i] & 15U];
  }
  return out;
}

bool Uuid::parse(std::string_view text, Uuid& out) {
  if (text.size() != 36) return false;
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return false;
      continue;
    }
    int digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return false;
    }
    auto& byte = out.bytes[nibble / 2];
    byte = static_cast<std::uint8_t>(nibble % 2 == 0 ? digit << 4 : byte | digit);
    ++nibble;
  }
  return true;
}

namespace detail {

std::string decimal_text(Int128 unscaled, int scale) {
  // Digits of the magnitude, the last first; a negative number stays one, so that the least fits.
  std::string out;
  const bool negative = unscaled < 0;
  do {
    const auto digit = static_cast<int>(unscaled % 10);
    out += static_cast<char>('0' + (digit < 0 ? -digit : digit));
    unscaled /= 10;
    if (static_cast<int>(out.size()) == scale) out += '.';
  } while (unscaled != 0 || static_cast<int>(out.size()) < scale);
  if (out.back() == '.') out += '0';
  if (negative) out += '-';
  return {out.rbegin(), out.rend()};
}

bool parse_decimal(std::string_view text, int precision, int scale, Int128& out) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  Int128 value = 0;
  int digits = 0;
  int behind = -1;
  bool any = false;
  for (const char c : text) {
    if (c == '.' && behind < 0) {
      behind = 0;
      continue;
    }
    if (c < '0' || c > '9') return false;
    any = true;
    if (behind >= 0 && ++behind > scale) return false;
    if (value != 0 || c != '0') ++digits;
    if (digits > precision) return false;
    value = value * 10 + (c - '0');
  }
  for (int i = behind < 0 ? 0 : behind; i < scale; ++i) {
    if (value != 0 && ++digits > precision) return false;
    value *= 10;
  }
  out = negative ? -value : value;
  return any;
}

}  // namespace detail

namespace form {

Error refused(std::string_view full_name, std::size_t at, std::size_t size) {
  return {Errc::malformed, "avro: " + std::string(full_name) + ": what stands at byte " +
                               std::to_string(at) + " of " + std::to_string(size) +
                               " does not fit its schema"};
}

}  // namespace form

struct Resolution::State {
  contract::avro::PlanPtr plan;
  contract::avro::Arena arena;
};

Resolution::~Resolution() { delete state_; }

Result<Resolution> Resolution::create(std::string_view writer_schema,
                                      std::string_view reader_schema) {
  using contract::avro::Schema;
  auto writer = Schema::parse(writer_schema, {.strict = false});
  if (!writer) return fail(std::move(writer.error()));
  auto reader = Schema::parse(reader_schema, {.strict = false});
  if (!reader) return fail(std::move(reader.error()));
  auto plan = contract::avro::resolve(std::move(*writer), std::move(*reader));
  if (!plan) return fail(std::move(plan.error()));
  return Resolution(new State{.plan = std::move(*plan), .arena = contract::avro::Arena()});
}

Result<const Cell*> Resolution::decode(std::string_view bytes) {
  state_->arena.reset();
  auto value = contract::avro::decode(*state_->plan, bytes, state_->arena, {.borrow = true});
  if (!value) return fail(std::move(value.error()));
  return &value->cell();
}

}  // namespace avro
}  // namespace v1
}  // namespace weir
