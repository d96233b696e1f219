#include "client/topic_pattern.h"

#include <fmt/core.h>
#include <re2/re2.h>

namespace weir::client {
namespace {

constexpr std::size_t pattern_bytes = 1000;
/// Of a compiled pattern; a larger one is refused.
constexpr std::int64_t pattern_memory = 1 << 20;

re2::RE2::Options options() {
  re2::RE2::Options out;
  out.set_log_errors(false);
  out.set_max_mem(pattern_memory);
  return out;
}

}  // namespace

struct TopicPattern::Impl {
  explicit Impl(std::string_view text)
      : regex(re2::StringPiece(text.data(), text.size()), options()) {}
  re2::RE2 regex;
};

TopicPattern::TopicPattern(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TopicPattern::TopicPattern(TopicPattern&&) noexcept = default;
TopicPattern& TopicPattern::operator=(TopicPattern&&) noexcept = default;
TopicPattern::~TopicPattern() = default;

Result<TopicPattern> TopicPattern::compile(std::string_view text) {
  if (text.empty() || text.size() > pattern_bytes)
    return fail(Errc::invalid_argument,
                fmt::format("a pattern of topics has 1 to {} bytes", pattern_bytes));
  auto impl = std::make_unique<Impl>(text);
  if (!impl->regex.ok())
    return fail(Errc::invalid_argument,
                fmt::format("pattern of topics {}: {}", text, impl->regex.error()));
  return TopicPattern(std::move(impl));
}

bool TopicPattern::matches(std::string_view topic) const {
  return re2::RE2::FullMatch(re2::StringPiece(topic.data(), topic.size()), impl_->regex);
}

}  // namespace weir::client
