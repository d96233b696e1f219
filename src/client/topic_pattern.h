// A regular expression over names of topics.
#pragma once

#include <weir/result.h>

#include <memory>
#include <string_view>

namespace weir::client {

/// The syntax of RE2, which Kafka's broker has too (KIP-848), in linear time. Moves only.
class TopicPattern {
 public:
  /// Errc::invalid_argument says what is wrong.
  static Result<TopicPattern> compile(std::string_view text);
  TopicPattern(TopicPattern&&) noexcept;
  TopicPattern& operator=(TopicPattern&&) noexcept;
  ~TopicPattern();

  /// True if the whole name matches.
  bool matches(std::string_view topic) const;

 private:
  struct Impl;
  explicit TopicPattern(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::client
