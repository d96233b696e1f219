#include "metrics/family.h"

#include <fmt/core.h>

namespace weir::metrics {
namespace {

constexpr Family row(std::string_view name, Kind kind, std::string_view unit,
                     std::string_view labels, Where where, std::string_view help) {
  Family family{.name = name, .kind = kind, .unit = unit, .where = where, .help = help};
  while (!labels.empty()) {
    const auto comma = labels.find(',');
    family.label_names[family.labels++] = labels.substr(0, comma);
    labels.remove_prefix(comma == std::string_view::npos ? labels.size() : comma + 1);
  }
  return family;
}

constexpr Family table[] = {
#define WEIR_METRIC(id, name, kind, unit, labels, where, help) \
  row(name, Kind::kind, unit, labels, Where::where, help),
#include "metrics/families.inc"
#undef WEIR_METRIC
};

std::string_view name_of(Where where) {
  switch (where) {
    case Where::broker: return "broker";
    case Where::log: return "log";
    case Where::process: return "process";
    case Where::http: return "http";
    case Where::client: return "client";
    case Where::streams: return "streams";
  }
  return "";
}

}  // namespace

std::span<const Family> families() { return table; }
const Family& family(Metric metric) { return table[static_cast<std::size_t>(metric)]; }

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::counter: return "counter";
    case Kind::gauge: return "gauge";
    case Kind::histogram: return "histogram";
    case Kind::info: return "info";
  }
  return "";
}

std::string markdown_page() {
  std::string out =
      "# Metrics\n"
      "\n"
      "What `weir broker --metrics HOST:PORT` shows at `/metrics`, in Prometheus' text format, or "
      "in "
      "OpenMetrics 1.0 where the\n"
      "reader's `Accept` asks for it. [operation.md](operation.md) says how to turn it on and what "
      "else is served there.\n"
      "This page is made from the table of metrics: `weir help --metrics` prints it.\n"
      "\n"
      "The rows of `client` are what `weir::Client::metrics()` shows, those of `streams` what a "
      "stream application shows\n"
      "([streams.md](streams.md)), with those of `process`; not the broker.\n"
      "\n"
      "Buckets of histograms are 1, 2, 3, 5 and 7 times a power of ten, from 10 microseconds to 70 "
      "seconds. A series of an\n"
      "API or an error appears with its first event. Partitions beyond `weir.metrics.partitions` "
      "have "
      "no series of their own:\n"
      "their topics have sums, and topics beyond that bound are summed up under the name "
      "`(other)`.\n"
      "Groups are bounded by `weir.metrics.groups`: a group whose committed partitions do not fit "
      "has "
      "its own lag and no series\n"
      "of topics; groups beyond the bound are summed up.\n"
      "\n"
      "| metric | kind | labels | of | meaning |\n"
      "|---|---|---|---|---|\n";
  for (const Family& family : table) {
    std::string labels;
    for (std::size_t i = 0; i < family.labels; ++i)
      labels += fmt::format("{}`{}`", i == 0 ? "" : ", ", family.label_names[i]);
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", family.name, name_of(family.kind), labels,
                       name_of(family.where), family.help);
  }
  return out;
}

}  // namespace weir::metrics
