#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <set>

#include "base/rng.h"
#include "metrics/exposition.h"

namespace weir::metrics {
namespace {

using namespace std::chrono_literals;

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && !(text.front() >= '0' && text.front() <= '9') &&
         std::ranges::all_of(text, fits);
}

TEST(Families, names_are_unique_and_say_kind_and_unit) {
  std::set<std::string_view> names;
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    EXPECT_TRUE(names.insert(family.name).second);
    EXPECT_TRUE(is_name(family.name));
    EXPECT_EQ(family.name.ends_with("_total"), family.kind == Kind::counter);
    EXPECT_EQ(family.name.ends_with("_info"), family.kind == Kind::info);
    std::string_view base = family.name;
    if (family.kind == Kind::counter) base.remove_suffix(6);
    if (!family.unit.empty()) {
      EXPECT_TRUE(base.ends_with(std::string("_").append(family.unit)));
    }
    EXPECT_TRUE(family.unit.empty() || family.unit == "seconds" || family.unit == "bytes");
    EXPECT_FALSE(family.name.ends_with("_ms") || family.name.ends_with("_kib"));
    EXPECT_TRUE(family.help.ends_with("."));
  }
}

TEST(Families, labels_are_names_and_le_is_left_to_histograms) {
  for (const Family& family : families())
    for (std::size_t i = 0; i < family.labels; ++i) {
      EXPECT_TRUE(is_name(family.label_names[i])) << family.name;
      EXPECT_NE(family.label_names[i], "le");
    }
}

TEST(Families, no_sample_of_a_histogram_has_the_name_of_another_family) {
  std::set<std::string> taken;
  for (const Family& family : families()) taken.insert(std::string(family.name));
  for (const Family& family : families()) {
    if (family.kind != Kind::histogram) continue;
    for (const auto* suffix : {"_bucket", "_sum", "_count"})
      EXPECT_FALSE(taken.contains(std::string(family.name) + suffix)) << family.name;
  }
}

TEST(Histogram, a_duration_is_counted_in_the_first_bucket_whose_bound_is_not_below_it) {
  Rng rng(7);
  const auto expected = [](std::uint64_t ns) {
    return static_cast<std::size_t>(std::ranges::lower_bound(Histogram::bounds, ns) -
                                    Histogram::bounds.begin());
  };
  std::vector<std::uint64_t> times = {0, 1, 9'999, ~std::uint64_t{0} >> 1U};
  for (const std::uint64_t bound : Histogram::bounds)
    for (const std::uint64_t near : {bound - 1, bound, bound + 1}) times.push_back(near);
  for (int i = 0; i < 10'000; ++i) times.push_back(rng.next() >> rng.between(1, 63));
  for (const std::uint64_t ns : times) {
    Histogram histogram;
    histogram.observe(Duration(static_cast<std::int64_t>(ns)));
    EXPECT_EQ(histogram.in_bucket(expected(ns)), 1U) << ns << " ns";
  }
}

TEST(Histogram, bounds_rise_from_10_us_to_70_s) {
  EXPECT_EQ(Histogram::bounds.front(), 10'000U);
  EXPECT_EQ(Histogram::bounds.back(), 70'000'000'000U);
  EXPECT_TRUE(std::ranges::is_sorted(Histogram::bounds));
  for (std::size_t i = 1; i < Histogram::bounds_count; ++i)
    EXPECT_LE(Histogram::bounds[i], 2 * Histogram::bounds[i - 1]);
}

TEST(Histogram, a_time_before_the_beginning_counts_as_none) {
  Histogram histogram;
  histogram.observe(-5s);
  EXPECT_EQ(histogram.in_bucket(0), 1U);
  EXPECT_EQ(histogram.sum(), 0s);
}

TEST(Exposition, the_text_format_has_help_type_and_samples) {
  Exposition out(Format::text);
  out.value(Metric::connections, std::uint64_t{3});
  out.begin(Metric::requests);
  out.sample({"Fetch", "none"}, std::uint64_t{17});
  EXPECT_EQ(std::move(out).finish(),
            "# HELP weir_connections Clients that are connected.\n"
            "# TYPE weir_connections gauge\n"
            "weir_connections 3\n"
            "# HELP weir_requests_total Requests answered, by API and the first error that the "
            "answer carries.\n"
            "# TYPE weir_requests_total counter\n"
            "weir_requests_total{api=\"Fetch\",error=\"none\"} 17\n");
}

TEST(Exposition, openmetrics_names_families_without_their_suffix_and_ends) {
  Exposition out(Format::openmetrics);
  out.begin(Metric::build_info);
  out.sample({"1", "Dev", "g++"}, std::uint64_t{1});
  out.value(Metric::cpu, 0.25);
  EXPECT_EQ(std::move(out).finish(),
            "# HELP weir_build What is running.\n"
            "# TYPE weir_build info\n"
            "weir_build_info{version=\"1\",build=\"Dev\",compiler=\"g++\"} 1\n"
            "# HELP process_cpu_seconds Processor time that the process used, user and system.\n"
            "# TYPE process_cpu_seconds counter\n"
            "# UNIT process_cpu_seconds seconds\n"
            "process_cpu_seconds_total 0.25\n"
            "# EOF\n");
}

TEST(Exposition, buckets_are_cumulative_and_end_with_infinity) {
  Histogram histogram;
  histogram.observe(15us);
  histogram.observe(15us);
  histogram.observe(1s);
  histogram.observe(1h);
  Exposition out(Format::text);
  out.begin(Metric::fetch_wait);
  out.histogram({}, histogram);
  const std::string text = std::move(out).finish();
  EXPECT_NE(text.find("_bucket{le=\"1e-05\"} 0\n"), text.npos) << text;
  EXPECT_NE(text.find("_bucket{le=\"2e-05\"} 2\n"), text.npos);
  EXPECT_NE(text.find("_bucket{le=\"1.0\"} 3\n"), text.npos);
  EXPECT_NE(text.find("_bucket{le=\"70.0\"} 3\n"), text.npos);
  EXPECT_NE(text.find("_bucket{le=\"+Inf\"} 4\n"), text.npos);
  EXPECT_NE(text.find("_sum 3601.00003\n"), text.npos);
  EXPECT_NE(text.find("_count 4\n"), text.npos);
}

TEST(Exposition, label_values_are_escaped_and_made_utf8) {
  Exposition out(Format::text);
  out.begin(Metric::topic_size);
  out.sample({"a\"b\\c\nd"}, std::uint64_t{1});
  out.sample({"\xc3\xa9 \xff \xed\xa0\x80"}, std::uint64_t{2});
  const std::string text = std::move(out).finish();
  EXPECT_NE(text.find(R"({topic_name="a\"b\\c\nd"} 1)"), text.npos) << text;
  EXPECT_NE(text.find("\xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"} 2"),
            text.npos);
}

TEST(Exposition, numbers_read_back) {
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(std::stod(number_text(1.0 / 3)), 1.0 / 3);
}

TEST(Exposition, a_reader_gets_openmetrics_only_if_it_asks_for_it) {
  EXPECT_EQ(format_for(""), Format::text);
  EXPECT_EQ(format_for("*/*"), Format::text);
  EXPECT_EQ(format_for("text/plain;version=0.0.4"), Format::text);
  EXPECT_EQ(format_for("application/openmetrics-text"), Format::openmetrics);
  EXPECT_EQ(format_for("application/openmetrics-text;version=2.0.0"), Format::text);
  EXPECT_EQ(format_for("application/openmetrics-text; version=1.0.0; q=0"), Format::text);
  EXPECT_EQ(format_for("application/openmetrics-text;q=0.3,text/plain;q=0.4"), Format::text);
  EXPECT_EQ(format_for("application/openmetrics-text;q=much"), Format::text);
  // What Prometheus 2.45 sends.
  EXPECT_EQ(format_for("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                       "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            Format::openmetrics);
}

TEST(Page, has_a_row_for_every_metric) {
  const std::string page = markdown_page();
  for (const Family& family : families())
    EXPECT_NE(page.find("| `" + std::string(family.name) + "` |"), page.npos);
}

TEST(Page, is_the_one_in_the_docs) {
  std::ifstream in(WEIR_SOURCE_DIR "/docs/metrics.md");
  const std::string there{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(there, markdown_page())
      << "docs/metrics.md is old: ./run weir help --metrics > docs/metrics.md";
}

}  // namespace
}  // namespace weir::metrics
