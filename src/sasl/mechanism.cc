#include "sasl/mechanism.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/base64.h"
#include "base/log.h"
#include "sasl/oauth.h"
#include "sasl/scram.h"

namespace weir::sasl {
namespace {

constexpr std::string_view names[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"};

/// The user and the password go as they are: one message, to which the server has nothing to say.
class PlainExchange final : public Exchange {
 public:
  explicit PlainExchange(const Credentials& credentials) {
    std::string message;
    message.reserve(credentials.username.size() + credentials.password.reveal().size() + 2);
    message += '\0';
    message += credentials.username;
    message += '\0';
    message += credentials.password.reveal();
    message_ = Secret(std::move(message));
  }

  Secret first() override { return std::move(message_); }
  Result<std::optional<Secret>> next(std::string_view challenge) override {
    if (!challenge.empty() || complete_)
      return fail(Errc::malformed, "PLAIN: the server says something, and has nothing to say");
    complete_ = true;
    return std::nullopt;
  }
  bool complete() const override { return complete_; }

 private:
  Secret message_;
  bool complete_ = false;
};

class ScramExchange final : public Exchange {
 public:
  ScramExchange(Hash hash, std::string_view user, Secret password, std::string nonce)
      : hash_(hash),
        password_(std::move(password)),
        nonce_(std::move(nonce)),
        bare_(fmt::format("n={},r={}", escape_name(user), nonce_)) {}

  Secret first() override { return Secret("n,," + bare_); }

  Result<std::optional<Secret>> next(std::string_view challenge) override {
    auto answer = state_ == State::first ? on_first(challenge)
                  : state_ == State::signature
                      ? on_final(challenge)
                      : Result<std::optional<Secret>>(
                            fail(Errc::malformed, "SCRAM: the server goes on after its end"));
    if (!answer) state_ = State::ended;
    return answer;
  }
  bool complete() const override { return state_ == State::complete; }

 private:
  enum class State : std::uint8_t { first, signature, complete, ended };

  Result<std::optional<Secret>> on_first(std::string_view challenge) {
    const auto told = read_server_first(challenge);
    if (!told) return fail(told.error());
    if (!told->nonce.starts_with(nonce_) || told->nonce.size() == nonce_.size())
      return fail(Errc::sasl_authentication_failed,
                  "SCRAM: the server's nonce does not go on from ours: it is not the answer to "
                  "this exchange");
    const ScramKeys keys = derive_keys(hash_, password_.reveal(), told->salt, told->iterations);
    password_ = {};
    const std::string without_proof = "c=biws,r=" + told->nonce;
    const std::string signed_text = bare_ + "," + std::string(challenge) + "," + without_proof;
    const Secret proof(
        xor_bytes(keys.client_key.reveal(), hmac(hash_, keys.stored_key, signed_text)));
    server_signature_ = hmac(hash_, keys.server_key.reveal(), signed_text);
    state_ = State::signature;
    return Secret(without_proof + ",p=" + to_base64(proof.reveal()));
  }

  Result<std::optional<Secret>> on_final(std::string_view challenge) {
    const auto signature = read_server_final(challenge);
    if (!signature) return fail(signature.error());
    if (!equal_in_constant_time(*signature, server_signature_))
      return fail(Errc::sasl_authentication_failed,
                  "SCRAM: the server's signature is wrong: it does not know the password");
    state_ = State::complete;
    return std::nullopt;
  }

  Hash hash_;
  Secret password_;
  const std::string nonce_;
  const std::string bare_;
  std::string server_signature_;
  State state_ = State::first;
};

Result<void> check_plain(const Credentials& credentials) {
  if (credentials.username.empty())
    return fail(Errc::invalid_setting, "PLAIN: sasl.username is not set");
  if (credentials.username.contains('\0') || credentials.password.reveal().contains('\0'))
    return fail(Errc::invalid_setting, "PLAIN: neither name nor password may have a zero byte");
  return {};
}

}  // namespace

std::string_view name_of(Mechanism mechanism) { return names[static_cast<std::size_t>(mechanism)]; }

Result<Mechanism> mechanism_named(std::string_view name) {
  const auto* const found = std::ranges::find(names, name);
  if (found == std::end(names))
    return fail(Errc::invalid_setting,
                fmt::format("sasl.mechanism {}: want PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or "
                            "OAUTHBEARER",
                            escape_for_log(name, 64)));
  return static_cast<Mechanism>(found - std::begin(names));
}

Result<std::unique_ptr<Exchange>> make_exchange(Mechanism mechanism, const Credentials& credentials,
                                                std::string nonce) {
  switch (mechanism) {
    case Mechanism::plain:
      if (auto fine = check_plain(credentials); !fine) return fail(fine.error());
      return std::make_unique<PlainExchange>(credentials);
    case Mechanism::oauthbearer: return make_oauth_exchange(credentials);
    case Mechanism::scram_sha_256:
    case Mechanism::scram_sha_512: break;
  }
  if (auto fine = check_prepared("sasl.username", credentials.username); !fine)
    return fail(fine.error());
  if (auto fine = check_prepared("sasl.password", credentials.password.reveal()); !fine)
    return fail(fine.error());
  return std::make_unique<ScramExchange>(
      mechanism == Mechanism::scram_sha_256 ? Hash::sha256 : Hash::sha512, credentials.username,
      credentials.password, std::move(nonce));
}

std::string make_nonce() { return to_base64(random_bytes(18)); }

}  // namespace weir::sasl
