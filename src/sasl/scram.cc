#include "sasl/scram.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"

namespace weir::sasl {
namespace {

tl::unexpected<Error> malformed(std::string_view why) {
  return fail(Errc::malformed, fmt::format("SCRAM: {}", why));
}

/// Printable and no comma, as RFC 5802 wants nonces.
bool is_nonce(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > 0x20 && c < 0x7f && c != ','; });
}

/// Reads "a=value" parts one after another.
class Attributes {
 public:
  explicit Attributes(std::string_view text) : rest_(text) {}

  bool at_end() const { return ended_; }
  /// The value of the next part, which must be `name`.
  Result<std::string_view> take(char name) {
    if (ended_) return malformed(fmt::format("{}= is missing", name));
    const std::size_t comma = std::min(rest_.find(','), rest_.size());
    const std::string_view part = rest_.substr(0, comma);
    if (part.size() < 2 || part[0] != name || part[1] != '=')
      return malformed(part.starts_with("m=") ? "a mandatory extension that nobody here knows"
                                              : fmt::format("{}= is not where it must be", name));
    ended_ = comma == rest_.size();
    rest_.remove_prefix(ended_ ? comma : comma + 1);
    return part.substr(2);
  }
  /// What is left are extensions, which may be anything but mandatory: NAME=VALUE, a letter.
  Result<void> take_extensions() {
    while (!ended_) {
      const std::size_t comma = std::min(rest_.find(','), rest_.size());
      const std::string_view part = rest_.substr(0, comma);
      const char letter = part.empty() ? '\0' : part[0];
      const bool named = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
      if (!named || part.size() < 2 || part[1] != '=' || letter == 'm')
        return malformed("an extension that cannot be passed over");
      ended_ = comma == rest_.size();
      rest_.remove_prefix(ended_ ? comma : comma + 1);
    }
    return {};
  }

 private:
  std::string_view rest_;
  bool ended_ = false;
};

Result<void> check_size(std::string_view message) {
  if (message.size() <= scram_message_bytes) return {};
  return fail(Errc::limit_exceeded, fmt::format("SCRAM: a message of {} bytes, at most {} are read",
                                                message.size(), scram_message_bytes));
}

Result<std::string> read_name(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out.push_back(text[i]);
      continue;
    }
    const std::string_view code = text.substr(i, 3);
    if (code != "=2C" && code != "=3D") return malformed("a name with a wrong escape");
    out.push_back(code == "=2C" ? ',' : '=');
    i += 2;
  }
  if (out.empty()) return malformed("an empty name");
  return out;
}

Result<std::string> read_nonce(Attributes& attributes) {
  const auto nonce = attributes.take('r');
  if (!nonce) return fail(nonce.error());
  if (!is_nonce(*nonce)) return malformed("a nonce with bytes that none may have");
  return std::string(*nonce);
}

Result<std::string> read_base64(Attributes& attributes, char name) {
  const auto text = attributes.take(name);
  if (!text) return fail(text.error());
  auto bytes = from_base64(*text);
  if (!bytes || bytes->empty()) return malformed(fmt::format("{}= is not base64", name));
  return std::move(*bytes);
}

}  // namespace

ScramKeys derive_keys(Hash hash, std::string_view password, std::string_view salt, int iterations) {
  const Secret salted(pbkdf2(hash, password, salt, iterations));
  ScramKeys keys;
  keys.client_key = hmac(hash, salted.reveal(), "Client Key");
  keys.stored_key = digest(hash, keys.client_key.reveal());
  keys.server_key = hmac(hash, salted.reveal(), "Server Key");
  return keys;
}

ScramCredential make_credential(Hash hash, std::string_view password, std::string_view salt,
                                int iterations) {
  const ScramKeys keys = derive_keys(hash, password, salt, iterations);
  return {.salt = std::string(salt),
          .iterations = iterations,
          .stored_key = keys.stored_key,
          .server_key = std::string(keys.server_key.reveal())};
}

std::string xor_bytes(std::string_view a, std::string_view b) {
  check(a.size() == b.size(), "scram: keys of two sizes");
  std::string out(a);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

Result<ClientFirst> read_client_first(std::string_view message) {
  if (auto fits = check_size(message); !fits) return fail(fits.error());
  if (message.starts_with("p="))
    return malformed("the client wants channel binding, which is not offered");
  // "y": the client could bind and thinks that we cannot, which is so.
  if (!message.starts_with("n,") && !message.starts_with("y,"))
    return malformed("no gs2 header in front");
  message.remove_prefix(2);
  const std::size_t comma = message.find(',');
  if (comma == std::string_view::npos) return malformed("a gs2 header without its end");
  const std::string_view authzid = message.substr(0, comma);
  if (!authzid.empty() && !authzid.starts_with("a="))
    return malformed("a gs2 header that cannot be read");
  message.remove_prefix(comma + 1);
  Attributes attributes(message);
  const auto name = attributes.take('n');
  if (!name) return fail(name.error());
  auto user = read_name(*name);
  if (!user) return fail(user.error());
  if (!authzid.empty()) {
    const auto acting_for = read_name(authzid.substr(2));
    if (!acting_for || *acting_for != *user)
      return malformed("the client wants to act for somebody else");
  }
  auto nonce = read_nonce(attributes);
  if (!nonce) return fail(nonce.error());
  if (auto rest = attributes.take_extensions(); !rest) return fail(rest.error());
  return ClientFirst{
      .user = std::move(*user), .nonce = std::move(*nonce), .bare = std::string(message)};
}

Result<ServerFirst> read_server_first(std::string_view message) {
  if (auto fits = check_size(message); !fits) return fail(fits.error());
  Attributes attributes(message);
  auto nonce = read_nonce(attributes);
  if (!nonce) return fail(nonce.error());
  auto salt = read_base64(attributes, 's');
  if (!salt) return fail(salt.error());
  if (salt->size() > scram_salt_bytes_max)
    return fail(Errc::limit_exceeded, fmt::format("SCRAM: a salt of {} bytes, at most {} are taken",
                                                  salt->size(), scram_salt_bytes_max));
  const auto text = attributes.take('i');
  if (!text) return fail(text.error());
  int iterations = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), iterations);
  if (error != std::errc{} || end != text->data() + text->size())
    return malformed("a number of iterations that is none");
  if (iterations < scram_iterations_min || iterations > scram_iterations_max)
    return fail(Errc::limit_exceeded,
                fmt::format("SCRAM: the server asks for {} iterations, want {} to {}", iterations,
                            scram_iterations_min, scram_iterations_max));
  if (auto rest = attributes.take_extensions(); !rest) return fail(rest.error());
  return ServerFirst{
      .nonce = std::move(*nonce), .salt = std::move(*salt), .iterations = iterations};
}

Result<ClientFinal> read_client_final(std::string_view message) {
  if (auto fits = check_size(message); !fits) return fail(fits.error());
  const std::size_t last = message.rfind(",p=");
  if (last == std::string_view::npos) return malformed("p= is missing");
  Attributes attributes(message.substr(0, last));
  const auto binding = attributes.take('c');
  if (!binding) return fail(binding.error());
  if (*binding != "biws" && *binding != "eSws")
    return malformed("the channel binding is not that of the first message");
  auto nonce = read_nonce(attributes);
  if (!nonce) return fail(nonce.error());
  if (auto rest = attributes.take_extensions(); !rest) return fail(rest.error());
  Attributes tail(message.substr(last + 1));
  auto proof = read_base64(tail, 'p');
  if (!proof) return fail(proof.error());
  if (!tail.at_end()) return malformed("something behind p=");
  return ClientFinal{.nonce = std::move(*nonce),
                     .proof = std::move(*proof),
                     .without_proof = std::string(message.substr(0, last))};
}

Result<std::string> read_server_final(std::string_view message) {
  if (auto fits = check_size(message); !fits) return fail(fits.error());
  if (message.starts_with("e="))
    return fail(Errc::sasl_authentication_failed,
                fmt::format("SCRAM: the server says {}",
                            escape_for_log(message.substr(2, message.find(',') - 2), 64)));
  Attributes attributes(message);
  auto signature = read_base64(attributes, 'v');
  if (!signature) return fail(signature.error());
  if (auto rest = attributes.take_extensions(); !rest) return fail(rest.error());
  return std::move(*signature);
}

std::string escape_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ',') {
      out += "=2C";
    } else if (c == '=') {
      out += "=3D";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

Result<void> check_prepared(std::string_view what, std::string_view text) {
  if (text.empty()) return fail(Errc::invalid_setting, fmt::format("{} is empty", what));
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }))
    return {};
  return fail(Errc::invalid_setting,
              fmt::format("{}: only printable ASCII is taken for SCRAM; SASLprep of other "
                          "characters is not supported",
                          what));
}

}  // namespace weir::sasl
