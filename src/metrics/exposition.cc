#include "metrics/exposition.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace weir::metrics {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

/// Bytes of the UTF-8 sequence at the front of `text`, 0 if there is none: no surrogates, nothing
/// longer than it need be, nothing above U+10FFFF.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t n = lead >= 0xf0 && lead < 0xf5   ? 4
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                                                      : 0;
  if (n == 0 || n > text.size()) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;
  if (lead == 0xed && byte(1) >= 0xa0) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) >= 0x90) return 0;
  return n;
}

/// Help texts escape the backslash and the line feed; labels, and OpenMetrics' help, quotes too.
void escape(std::string& out, std::string_view text, bool quotes) {
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t n = utf8_length(text);
    if (n == 0) {
      out += replacement;
      text.remove_prefix(1);
      continue;
    }
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += text.substr(0, n);
    }
    text.remove_prefix(n);
  }
}

/// OpenMetrics wants a bound to look like a float: 1.0, not 1.
std::string bound_text(std::uint64_t ns) {
  std::string text = number_text(static_cast<double>(ns) / 1e9);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The weight of one element of an Accept header, in thousandths; 1000 where it says none.
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto semicolon = parameters.find(';');
    const std::string_view one = trim(parameters.substr(0, semicolon));
    parameters.remove_prefix(semicolon == std::string_view::npos ? parameters.size()
                                                                 : semicolon + 1);
    if (!one.starts_with("q=")) continue;
    double weight = 0;
    const auto [end, error] = std::from_chars(one.data() + 2, one.data() + one.size(), weight);
    const bool whole = error == std::errc{} && end == one.data() + one.size();
    return whole && weight >= 0 && weight <= 1 ? static_cast<int>(weight * 1000) : 0;
  }
  return 1000;
}

}  // namespace

std::string_view content_type(Format format) {
  return format == Format::text ? "text/plain; version=0.0.4; charset=utf-8"
                                : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

Format format_for(std::string_view accept) {
  int text = 0;
  int openmetrics = 0;
  while (!accept.empty()) {
    const auto comma = accept.find(',');
    const std::string_view one = trim(accept.substr(0, comma));
    accept.remove_prefix(comma == std::string_view::npos ? accept.size() : comma + 1);
    const auto semicolon = one.find(';');
    const std::string_view type = trim(one.substr(0, semicolon));
    const std::string_view rest =
        semicolon == std::string_view::npos ? std::string_view() : one.substr(semicolon + 1);
    if (type == "application/openmetrics-text") {
      // A version that does not exist yet is not what this writes.
      const auto version = rest.find("version=");
      const std::string_view number =
          version == std::string_view::npos ? std::string_view() : rest.substr(version + 8);
      if (number.empty() || number.starts_with("1.0.") || number.starts_with("0.0."))
        openmetrics = std::max(openmetrics, weight_of(rest));
    } else if (type == "text/plain") {
      text = std::max(text, weight_of(rest));
    }
  }
  return openmetrics > 0 && openmetrics >= text ? Format::openmetrics : Format::text;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void Exposition::begin(Metric metric) {
  check(written_.insert(metric).second, "a metric is exposed once");
  family_ = &family(metric);
  base_ = family_->name;
  std::string_view kind = name_of(family_->kind);
  if (format_ == Format::openmetrics) {
    // There the family's name lacks what its samples end in.
    if (family_->kind == Kind::counter) base_.remove_suffix(std::string_view("_total").size());
    if (family_->kind == Kind::info) base_.remove_suffix(std::string_view("_info").size());
  } else if (family_->kind == Kind::info) {
    kind = "gauge";
  }
  out_ += fmt::format("# HELP {} ", base_);
  escape(out_, family_->help, format_ == Format::openmetrics);
  out_ += fmt::format("\n# TYPE {} {}\n", base_, kind);
  if (format_ == Format::openmetrics && !family_->unit.empty())
    out_ += fmt::format("# UNIT {} {}\n", base_, family_->unit);
}

void Exposition::line(std::string_view suffix, Labels labels, std::string_view le,
                      std::string_view value) {
  check(family_ != nullptr && labels.size() == family_->labels,
        "a sample has the labels of its family");
  out_ += family_->name;
  out_ += suffix;
  char before = '{';
  std::size_t i = 0;
  for (const std::string_view label : labels) {
    out_ += before;
    out_ += family_->label_names[i++];
    out_ += "=\"";
    escape(out_, label, true);
    out_ += '"';
    before = ',';
  }
  if (!le.empty()) {
    out_ += before;
    out_ += "le=\"";
    out_ += le;
    out_ += '"';
    before = ',';
  }
  if (before == ',') out_ += '}';
  out_ += ' ';
  out_ += value;
  out_ += '\n';
}

void Exposition::sample(Labels labels, std::uint64_t value) {
  line("", labels, "", std::to_string(value));
}

void Exposition::sample(Labels labels, std::int64_t value) {
  line("", labels, "", std::to_string(value));
}

void Exposition::sample(Labels labels, double value) { line("", labels, "", number_text(value)); }

void Exposition::histogram(Labels labels, const Histogram& histogram) {
  check(family_ != nullptr && family_->kind == Kind::histogram,
        "a histogram of a histogram family");
  static const std::array<std::string, Histogram::bounds_count> bounds = [] {
    std::array<std::string, Histogram::bounds_count> texts;
    for (std::size_t i = 0; i < texts.size(); ++i) texts[i] = bound_text(Histogram::bounds[i]);
    return texts;
  }();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    below += histogram.in_bucket(i);
    line("_bucket", labels, bounds[i], std::to_string(below));
  }
  const std::uint64_t all = below + histogram.in_bucket(bounds.size());
  line("_bucket", labels, "+Inf", std::to_string(all));
  line("_sum", labels, "", number_text(static_cast<double>(histogram.sum().count()) / 1e9));
  line("_count", labels, "", std::to_string(all));
}

std::string Exposition::finish() && {
  if (format_ == Format::openmetrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace weir::metrics
