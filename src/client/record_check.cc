#include "client/record_check.h"

#include <limits>

namespace weir::client {
namespace {

/// Behind the varint at `p`, or nullptr if it is cut short or has more than `bits` bits.
template <unsigned bits>
const char* take_slow(const char* p, const char* end, std::uint64_t& out) {
  constexpr unsigned most = (bits + 6) / 7;
  constexpr unsigned last_bits = bits - 7 * (most - 1);
  out = 0;
  for (unsigned i = 0; i < most && p < end; ++i) {
    const auto byte = static_cast<unsigned char>(*p++);
    if (i == most - 1 && byte >= (1U << last_bits)) return nullptr;
    out |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80U) return p;
  }
  return nullptr;
}

template <unsigned bits>
inline const char* take(const char* p, const char* end, std::uint64_t& out) {
  if (end - p >= 2) [[likely]] {
    const auto first = static_cast<unsigned char>(p[0]);
    if (first < 0x80U) {
      out = first;
      return p + 1;
    }
    const auto second = static_cast<unsigned char>(p[1]);
    if (second < 0x80U) [[likely]] {
      out = (first & 0x7fU) | static_cast<std::uint64_t>(second) << 7U;
      return p + 2;
    }
  }
  return take_slow<bits>(p, end, out);
}

/// Behind a run: a zigzag length and so many bytes; a length of -1 is null.
inline const char* skip_run(const char* p, const char* end, bool may_be_null) {
  std::uint64_t size = 0;
  p = take<32>(p, end, size);
  if (p == nullptr) return nullptr;
  if ((size & 1U) != 0) return size == 1 && may_be_null ? p : nullptr;
  size >>= 1U;
  return size <= static_cast<std::uint64_t>(end - p) ? p + size : nullptr;
}

const char* skip_headers(const char* p, const char* end) {
  std::uint64_t count = 0;
  p = take<32>(p, end, count);
  if (p == nullptr || (count & 1U) != 0) return nullptr;
  for (count >>= 1U; count > 0; --count) {
    p = skip_run(p, end, false);
    if (p == nullptr) return nullptr;
    p = skip_run(p, end, true);
    if (p == nullptr) return nullptr;
  }
  return p;
}

const char* skip_record(const char* p, const char* end) {
  std::uint64_t length = 0;
  p = take<32>(p, end, length);
  if (p == nullptr || (length & 1U) != 0) return nullptr;
  length >>= 1U;
  if (length < 1 || length > static_cast<std::uint64_t>(end - p)) return nullptr;
  const char* const next = p + length;
  std::uint64_t unused = 0;
  p = take<64>(p + 1, next, unused);  // behind the attributes: the timestamp
  if (p != nullptr) p = take<32>(p, next, unused);
  if (p != nullptr) p = skip_run(p, next, true);
  if (p != nullptr) p = skip_run(p, next, true);
  if (p != nullptr) p = skip_headers(p, next);
  return p == next ? next : nullptr;
}

}  // namespace

bool records_are_well_formed(std::string_view records, std::int32_t count) {
  const char* p = records.data();
  const char* const end = p + records.size();
  for (std::int32_t i = 0; i < count; ++i) {
    p = skip_record(p, end);
    if (p == nullptr) return false;
  }
  return p == end;
}

}  // namespace weir::client
