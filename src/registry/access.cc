#include "registry/access.h"

#include <optional>

#include "base/base64.h"
#include "registry/ask.h"
#include "registry/limits.h"
#include "registry/password.h"
#include "sasl/crypto.h"

namespace weir::registry {
namespace {

/// Of the digests by which right credentials are remembered without being kept.
constexpr std::size_t key_bytes = 32;
/// Fits no password; takes as long as any, so that names cannot be told by the time.
constexpr std::string_view nobody =
    "pbkdf2-sha256$600000$AAAAAAAAAAAAAAAAAAAAAA==$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

http::Response refusal(const http::Request& request, int status, int code, std::string_view why) {
  http::Response out =
      json_response(answer_type(request), json::Object{{"error_code", code}, {"message", why}});
  out.status = status;
  if (status == 401)
    out.headers.push_back({"WWW-Authenticate", "Basic realm=\"weir registry\", charset=\"UTF-8\""});
  return out;
}

}  // namespace

Result<Users> parse_users(std::string_view text) {
  Users out;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = text.find('\n');
    std::string_view one = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (one.ends_with('\r')) one.remove_suffix(1);
    if (one.empty() || one.starts_with('#')) continue;
    const auto colon = one.find(':');
    if (colon == std::string_view::npos || colon == 0 || !is_password_hash(one.substr(colon + 1)))
      return fail(Errc::malformed,
                  "line " + std::to_string(line) +
                      ": want USER:HASH, the hash as weir registry hash-password prints it");
    out[std::string(one.substr(0, colon))] = one.substr(colon + 1);
  }
  if (out.empty()) return fail(Errc::malformed, "there is no user in it");
  return out;
}

std::optional<std::pair<std::string, std::string>> basic_credentials(const http::Request& request) {
  const std::string_view header = request.headers.value_or("authorization", "");
  if (header.size() < 6 || !http::equal_without_case(header.substr(0, 6), "basic "))
    return std::nullopt;
  const auto text = from_base64(header.substr(6));
  const auto colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos) return std::nullopt;
  return std::pair(text->substr(0, colon), text->substr(colon + 1));
}

Access::Access(io::Runtime& runtime, Users users, std::string key)
    : users_(std::move(users)),
      key_(std::move(key)),
      worker_(runtime.make_worker("registry-access")) {}

std::unique_ptr<Access> Access::open(io::Runtime& runtime, Users users) {
  return std::unique_ptr<Access>(
      new Access(runtime, std::move(users), sasl::random_bytes(key_bytes)));
}

void Access::check(const http::Request& request, Verdict verdict) {
  auto credentials = basic_credentials(request);
  if (!credentials)
    return verdict(refusal(request, 401, 40101, "a user and a password are needed"));
  const std::string& user = credentials->first;
  std::string digest = sasl::hmac(sasl::Hash::sha256, key_, user + '\0' + credentials->second);
  if (known_.contains(digest)) return verdict(std::nullopt);
  if (waiting_ >= limits::waiting_passwords)
    return verdict(refusal(request, 429, 42901, "too many passwords are being tried"));
  const auto found = users_.find(user);
  const bool is_user = found != users_.end();
  std::string hash(is_user ? std::string_view(found->second) : nobody);
  ++waiting_;
  const auto fits = std::make_shared<bool>(false);
  worker_->run([fits, password = std::move(credentials->second),
                hash = std::move(hash)] { *fits = password_fits(password, hash); },
               [this, fits, is_user, digest = std::move(digest),
                refused = refusal(request, 401, 40101, "unknown user or wrong password"),
                verdict = std::move(verdict)]() mutable {
                 --waiting_;
                 if (!*fits || !is_user) return verdict(std::move(refused));
                 if (known_.size() >= limits::known_credentials) known_.clear();
                 known_.insert(std::move(digest));
                 verdict(std::nullopt);
               });
}

}  // namespace weir::registry
