#include "broker/request_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/log.h"

namespace weir::broker {
namespace {

using namespace std::chrono_literals;

/// The lines that are logged meanwhile.
class Lines {
 public:
  Lines() {
    set_log_sink([this](const LogLine& line) {
      all.push_back(std::string(line.component) + ": " + std::string(line.text));
    });
  }
  ~Lines() { set_log_sink({}); }
  std::vector<std::string> all;
};

AnsweredRequest fetch() {
  return {.api = kafka::ApiKey::fetch,
          .version = 11,
          .correlation_id = 7,
          .peer = "10.0.0.1:5",
          .client_id = "c",
          .request_bytes = 100,
          .response_bytes = 200,
          .error = 1,
          .took = 1500ms,
          .waited = 250ms};
}

TEST(RequestLog, a_request_is_slow_beyond_its_threshold_and_never_without_one) {
  const RequestLog log(1000, false);
  EXPECT_FALSE(log.is_slow(1000ms));
  EXPECT_TRUE(log.is_slow(1001ms));
  EXPECT_FALSE(RequestLog(-1, false).is_slow(24h * 365));
}

TEST(RequestLog, a_line_says_who_asked_what_and_where_the_time_went) {
  Lines lines;
  RequestLog log(0, false);
  log.note_slow(fetch(), MonoTime(1h));
  EXPECT_EQ(lines.all,
            std::vector<std::string>{"slow: 10.0.0.1:5 client 'c' Fetch v11 #7: 1500.0 ms, waited "
                                     "250.0 ms for bytes or others, 100 bytes in, 200 bytes out, "
                                     "offset_out_of_range"});
}

TEST(RequestLog, of_a_second_ten_lines_are_written_and_the_rest_is_counted) {
  Lines lines;
  RequestLog log(0, false);
  for (int i = 0; i < 25; ++i) log.note_slow(fetch(), MonoTime(1h));
  EXPECT_EQ(lines.all.size(), 10U);
  log.note_slow(fetch(), MonoTime(1h + 1s));
  ASSERT_EQ(lines.all.size(), 12U);
  EXPECT_EQ(lines.all[10], "slow: 15 more slow requests of that second left out");
}

TEST(RequestLog, a_client_cannot_forge_a_line) {
  Lines lines;
  AnsweredRequest request = fetch();
  request.client_id = "x'\n2026 ERROR";
  RequestLog(0, true).note_access(request);
  ASSERT_EQ(lines.all.size(), 1U);
  EXPECT_EQ(lines.all[0].find('\n'), std::string::npos);
}

}  // namespace
}  // namespace weir::broker
