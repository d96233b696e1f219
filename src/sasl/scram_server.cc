#include "sasl/scram_server.h"

#include <fmt/core.h>

#include "base/base64.h"

namespace weir::sasl {

ScramServer::ScramServer(Hash hash, FindCredential find, std::string nonce,
                         ScramCredential unknown_user)
    : hash_(hash),
      find_(std::move(find)),
      nonce_(std::move(nonce)),
      unknown_(std::move(unknown_user)) {}

Result<std::string> ScramServer::next(std::string_view message) {
  auto answer = state_ == State::first ? on_first(message)
                : state_ == State::proof
                    ? on_final(message)
                    : Result<std::string>(fail(Errc::illegal_sasl_state, "SCRAM: it is over"));
  if (!answer) state_ = State::ended;
  return answer;
}

Result<std::string> ScramServer::on_first(std::string_view message) {
  auto first = read_client_first(message);
  if (!first) return fail(first.error());
  first_ = std::move(*first);
  gs2_ = to_base64(message.substr(0, message.size() - first_.bare.size()));
  auto credential = find_(first_.user);
  known_ = credential.has_value();
  if (known_) {
    credential_ = std::move(*credential);
  } else {
    credential_ = unknown_;
    credential_.salt = hmac(hash_, unknown_.salt, first_.user).substr(0, 16);
    credential_.stored_key = std::string(digest_size(hash_), '\0');
    credential_.server_key = credential_.stored_key;
  }
  state_ = State::proof;
  return server_first_ = fmt::format("r={}{},s={},i={}", first_.nonce, nonce_,
                                     to_base64(credential_.salt), credential_.iterations);
}

Result<std::string> ScramServer::on_final(std::string_view message) {
  const auto proof = read_client_final(message);
  if (!proof) return fail(proof.error());
  const auto refused = [](std::string_view why) {
    return fail(Errc::sasl_authentication_failed, fmt::format("SCRAM: {}", why));
  };
  if (proof->nonce != first_.nonce + nonce_)
    return refused("the nonce is not that of this exchange");
  if (!proof->without_proof.starts_with("c=" + gs2_ + ","))
    return refused("the channel binding is not that of the first message");
  const std::string signed_text = first_.bare + "," + server_first_ + "," + proof->without_proof;
  if (proof->proof.size() != digest_size(hash_)) return refused("a proof of another size");
  const Secret client_key(
      xor_bytes(proof->proof, hmac(hash_, credential_.stored_key, signed_text)));
  const bool proven =
      equal_in_constant_time(digest(hash_, client_key.reveal()), credential_.stored_key);
  if (!proven || !known_) return refused("the proof does not fit");
  state_ = State::done;
  return "v=" + to_base64(hmac(hash_, credential_.server_key, signed_text));
}

}  // namespace weir::sasl
