#include "client/login.h"

#include <fmt/core.h>

#include "io/process.h"
#include "sasl/oauth.h"

namespace weir::client {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Runs on a thread of its own: it may block.
Result<OAuthToken> fetch_token(const ClientSasl& sasl) {
  if (sasl.token_source) {
    try {
      return sasl.token_source();
    } catch (...) {  // an exception of the application's function ends here
      return fail(Errc::sasl_authentication_failed, "OAUTHBEARER: the token source has thrown");
    }
  }
  Result<std::string> text;
  if (!sasl.token_file.empty()) {
    const auto files = io::make_real_file_system();
    text = io::read_file(*files, sasl.token_file, token_file_bytes);
  } else {
    text = io::run_command(sasl.token_command, token_file_bytes, token_command_timeout);
  }
  if (!text) return fail(text.error());
  OAuthToken token{.value = Secret(trimmed(*text)), .expires = {}, .extensions = {}};
  wipe(*text);
  return token;
}

}  // namespace

Login::Login(io::Runtime& runtime, sasl::Mechanism mechanism, ClientSasl sasl)
    : runtime_(runtime),
      mechanism_(mechanism),
      sasl_(std::make_shared<const ClientSasl>(std::move(sasl))) {}

Login::~Login() = default;

void Login::begin(LoginDone done) {
  if (mechanism_ != sasl::Mechanism::oauthbearer)
    return done(sasl::make_exchange(
        mechanism_, {.username = sasl_->username, .password = sasl_->password, .token = {}},
        sasl::make_nonce()));
  if (token_ && runtime_.loop().clock().wall_ms() < fetch_again_at_ms_)
    return done(exchange_with(*token_));
  waiting_.push_back(std::move(done));
  if (waiting_.size() == 1) fetch();
}

void Login::fetch() {
  if (worker_ == nullptr) worker_ = runtime_.make_worker("weir-token");
  auto fetched = std::make_shared<Result<OAuthToken>>();  // written by the worker, read after it
  worker_->run([sasl = sasl_, fetched] { *fetched = fetch_token(*sasl); },
               [this, fetched] { on_token(std::move(*fetched)); });
}

void Login::on_token(Result<OAuthToken> token) {
  token_.reset();
  if (token && token->expires) {
    const std::int64_t now = runtime_.loop().clock().wall_ms();
    const std::int64_t end =
        std::chrono::duration_cast<std::chrono::milliseconds>(token->expires->time_since_epoch())
            .count();
    if (end <= now) {
      token = fail(Errc::sasl_authentication_failed,
                   "OAUTHBEARER: the token that was given has expired already");
    } else {
      fetch_again_at_ms_ = now + (end - now) / 5 * 4;
      token_ = *token;
    }
  }
  for (LoginDone& done : std::exchange(waiting_, {})) {
    if (token) {
      done(exchange_with(*token));
    } else {
      done(fail(token.error()));
    }
  }
}

Result<std::unique_ptr<sasl::Exchange>> Login::exchange_with(const OAuthToken& token) const {
  return sasl::make_exchange(
      mechanism_,
      {.username = {}, .password = {}, .token = token.value, .extensions = token.extensions}, {});
}

}  // namespace weir::client
