#include "contract/avro/logical.h"

#include <cmath>

namespace weir::contract::avro {
namespace {

struct Row {
  LogicalKind logical;
  Kind base;
  std::size_t size = 0;  // of a fixed base
};
constexpr Row rows[] = {
    {LogicalKind::decimal, Kind::bytes},
    {LogicalKind::decimal, Kind::fixed},
    {LogicalKind::big_decimal, Kind::bytes},
    {LogicalKind::uuid, Kind::string},
    {LogicalKind::uuid, Kind::fixed, 16},
    {LogicalKind::date, Kind::int32},
    {LogicalKind::time_millis, Kind::int32},
    {LogicalKind::time_micros, Kind::int64},
    {LogicalKind::timestamp_millis, Kind::int64},
    {LogicalKind::timestamp_micros, Kind::int64},
    {LogicalKind::timestamp_nanos, Kind::int64},
    {LogicalKind::local_timestamp_millis, Kind::int64},
    {LogicalKind::local_timestamp_micros, Kind::int64},
    {LogicalKind::local_timestamp_nanos, Kind::int64},
    {LogicalKind::duration, Kind::fixed, 12},
};

/// The largest number of decimal digits that always fit `size` bytes in two's complement.
std::int64_t digits_of(std::size_t size) {
  if (size == 0) return 0;
  return static_cast<std::int64_t>(std::floor(static_cast<double>(8 * size - 1) * std::log10(2.0)));
}

Logical decimal(const Type& type, const json::Object& properties) {
  constexpr std::int64_t most = 1'000'000;
  const json::Value* precision = properties.find("precision");
  const json::Value* scale = properties.find("scale");
  if (precision == nullptr || precision->as_int() == nullptr) return {};
  const std::int64_t digits = *precision->as_int();
  if (digits <= 0 || digits > most) return {};
  if (type.kind == Kind::fixed && digits > digits_of(type.size)) return {};
  if (scale != nullptr && scale->as_int() == nullptr) return {};
  const std::int64_t after = scale != nullptr ? *scale->as_int() : 0;
  if (after < 0 || after > digits) return {};
  return {LogicalKind::decimal, static_cast<std::int32_t>(digits),
          static_cast<std::int32_t>(after)};
}

}  // namespace

Logical logical_of(const Type& type, const json::Object& properties) {
  const json::Value* given = properties.find("logicalType");
  if (given == nullptr || given->as_string() == nullptr) return {};
  for (const Row& row : rows) {
    if (name_of(row.logical) != *given->as_string() || row.base != type.kind) continue;
    if (row.size != 0 && row.size != type.size) return {};
    if (row.logical == LogicalKind::decimal) return decimal(type, properties);
    return {row.logical};
  }
  return {};
}

}  // namespace weir::contract::avro
