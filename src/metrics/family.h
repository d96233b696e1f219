// What a metric is: a row of the one table (families.inc) from which exposition and docs are made.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::metrics {

enum class Kind : std::uint8_t { counter, gauge, histogram, info };
/// Who knows the value; see families.inc.
enum class Where : std::uint8_t { broker, log, process, http, client, streams };

/// Every metric that there is.
enum class Metric : std::uint8_t {
#define WEIR_METRIC(id, name, kind, unit, labels, where, help) id,
#include "metrics/families.inc"
#undef WEIR_METRIC
};

inline constexpr std::size_t max_labels = 6;

/// A row. Texts live as long as the program.
struct Family {
  std::string_view name;  // as it is scraped
  Kind kind = Kind::gauge;
  std::string_view unit;  // a base unit (seconds, bytes), or empty
  std::array<std::string_view, max_labels> label_names{};
  std::size_t labels = 0;
  Where where = Where::broker;
  std::string_view help;
};

/// In the order of the exposition.
std::span<const Family> families();
const Family& family(Metric metric);
std::string_view name_of(Kind kind);

/// docs/metrics.md.
std::string markdown_page();

}  // namespace weir::metrics
