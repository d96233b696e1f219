#include "sasl/oauth.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"

namespace weir::sasl {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_token_byte(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || std::string_view("-._~+/=").contains(c);
}

class OAuthExchange final : public Exchange {
 public:
  explicit OAuthExchange(Secret message) : message_(std::move(message)) {}

  Secret first() override { return std::move(message_); }

  Result<std::optional<Secret>> next(std::string_view challenge) override {
    if (challenge.size() > token_failure_bytes)
      return fail(Errc::limit_exceeded,
                  fmt::format("OAUTHBEARER: a message of {} bytes, at most {} "
                              "are read",
                              challenge.size(), token_failure_bytes));
    if (answered_)
      return fail(Errc::sasl_authentication_failed,
                  fmt::format("OAUTHBEARER: {}", failure_.empty() ? "it is over" : failure_));
    answered_ = true;
    if (challenge.empty()) {
      complete_ = true;
      return std::nullopt;
    }
    failure_ = escape_for_log(challenge);
    return Secret(std::string_view("\x01", 1));
  }

  bool complete() const override { return complete_; }
  std::string failure() const override { return failure_; }

 private:
  Secret message_;
  bool answered_ = false;
  bool complete_ = false;
  std::string failure_;
};

}  // namespace

Result<void> check_token(std::string_view token) {
  if (token.empty()) return fail(Errc::invalid_setting, "OAUTHBEARER: the token is empty");
  if (token.size() > token_bytes_max)
    return fail(Errc::limit_exceeded, fmt::format("OAUTHBEARER: a token of {} bytes, at most {}",
                                                  token.size(), token_bytes_max));
  if (!std::all_of(token.begin(), token.end(), is_token_byte))
    return fail(Errc::invalid_setting,
                "OAUTHBEARER: the token has bytes that no bearer token has (RFC 6750)");
  return {};
}

Result<std::unique_ptr<Exchange>> make_oauth_exchange(const Credentials& credentials) {
  if (auto fine = check_token(credentials.token.reveal()); !fine) return fail(fine.error());
  std::string message = "n,,\x01";
  message += "auth=Bearer ";
  message += credentials.token.reveal();
  message += '\x01';
  for (const auto& [name, value] : credentials.extensions) {
    const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
    if (name.empty() || name == "auth" || !std::all_of(name.begin(), name.end(), is_letter) ||
        !std::all_of(value.begin(), value.end(), printable))
      return fail(Errc::invalid_setting,
                  fmt::format("OAUTHBEARER: extension {}: want letters, and a printable value",
                              escape_for_log(name, 64)));
    message += name;
    message += '=';
    message += value;
    message += '\x01';
  }
  message += '\x01';
  return std::make_unique<OAuthExchange>(Secret(std::move(message)));
}

}  // namespace weir::sasl
