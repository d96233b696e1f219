// Writes metrics in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.
//
//   Exposition out(Format::text);
//   out.value(Metric::connections, 3);
//   out.begin(Metric::requests);
//   out.sample({"Fetch", "none"}, 17);
//   send(std::move(out).finish());
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "metrics/family.h"
#include "metrics/instruments.h"

namespace weir::metrics {

enum class Format : std::uint8_t { text, openmetrics };
std::string_view content_type(Format format);
/// What a reader with this Accept header gets: OpenMetrics if it names it with a weight above zero
/// that is not below that of plain text, else the text format, which every reader knows.
Format format_for(std::string_view accept);

/// One exposition. Values of labels may be any bytes; what is not UTF-8 becomes U+FFFD. A family
/// that comes twice, or a wrong number of labels, is a bug (check). Threads: one.
class Exposition {
 public:
  using Labels = std::initializer_list<std::string_view>;

  explicit Exposition(Format format) : format_(format) {}

  /// Begins a family: all of its samples follow before the next one begins.
  void begin(Metric metric);
  void sample(Labels labels, std::uint64_t value);
  void sample(Labels labels, std::int64_t value);
  void sample(Labels labels, double value);
  void histogram(Labels labels, const Histogram& histogram);
  /// A family with one sample without labels.
  template <class Number>
  void value(Metric metric, Number number) {
    begin(metric);
    sample({}, number);
  }

  std::string finish() &&;
  /// Of the families that were begun.
  const std::set<Metric>& written() const { return written_; }

 private:
  void line(std::string_view suffix, Labels labels, std::string_view le, std::string_view value);

  Format format_;
  std::string out_;
  std::set<Metric> written_;
  const Family* family_ = nullptr;
  std::string_view base_;  // the name without what OpenMetrics adds to it
};

/// Only such values stay apart from each other when they are written: others lose bytes.
bool is_utf8(std::string_view text);
/// As both formats write it: shortest that reads back, "+Inf", "NaN".
std::string number_text(double value);

}  // namespace weir::metrics
