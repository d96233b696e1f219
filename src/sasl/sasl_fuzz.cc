// Whatever the other side of an authentication sends: it is read or refused, nobody is believed who
// has not proven anything, and what was read is written and read again as the same.
//
// The first byte of an input chooses what the rest is.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/check.h"
#include "fuzz/harness.h"
#include "sasl/jaas.h"
#include "sasl/mechanism.h"
#include "sasl/scram.h"
#include "sasl/scram_server.h"

namespace {

using namespace weir;
using namespace weir::sasl;

void to_client(std::string_view text) {
  // Only the parsers for what would cost a million iterations.
  if (const auto told = fuzz::bounded(text.size(), [&] { return read_server_first(text); })) {
    fuzz::canary(told->iterations != 4096 && told->salt.size() > 3);
    check(told->iterations >= scram_iterations_min && told->iterations <= scram_iterations_max,
          "iterations out of range");
    check(!told->nonce.empty() && !told->salt.empty() && told->salt.size() <= scram_salt_bytes_max,
          "a first message without its parts");
    if (told->iterations > 5'000) return;
  }
  const auto client =
      make_exchange(Mechanism::scram_sha_256, {.username = "user", .password = "pencil"}, "nonce")
          .value();
  const std::size_t middle = text.find('\n');
  (void)client->first();
  (void)client->next(text.substr(0, middle));
  if (middle != std::string_view::npos) (void)client->next(text.substr(middle + 1));
  check(!client->complete(), "a server was believed that does not know the password");
}

void to_server(std::string_view text) {
  static const ScramCredential alice =
      make_credential(Hash::sha256, "a secret that no input holds", "salt", 4096);
  ScramServer server(
      Hash::sha256,
      [](std::string_view user) -> std::optional<ScramCredential> {
        if (user != "alice") return std::nullopt;
        return alice;
      },
      "servernonce", alice);
  const std::size_t middle = text.find('\n');
  (void)server.next(text.substr(0, middle));
  if (middle != std::string_view::npos) (void)server.next(text.substr(middle + 1));
  check(!server.done(), "a client was believed that does not know the password");
  (void)fuzz::bounded(text.size(), [&] { return read_client_final(text); });
  if (const auto first = fuzz::bounded(text.size(), [&] { return read_client_first(text); })) {
    const auto again = read_client_first("n,,n=" + escape_name(first->user) + ",r=" + first->nonce);
    // Longer by what is escaped; past the bound it is refused.
    check(!again || (again->user == first->user && again->nonce == first->nonce),
          "a name is read as another");
  }
}

void to_token(std::string_view text) {
  const auto client =
      make_exchange(Mechanism::oauthbearer, {.username = {}, .password = {}, .token = "token"}, {})
          .value();
  (void)client->next(text);
  check(client->complete() == text.empty(), "a refusal was taken for an acceptance");
}

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::string_view text = bytes.substr(1);
  switch (static_cast<unsigned char>(bytes[0]) % 5) {
    case 0: to_client(text); break;
    case 1: to_server(text); break;
    case 2: to_token(text); break;
    // An option is a node of a map, its name and its value, for as little as "a=b ".
    case 3:
      (void)bounded_by(64 * text.size() + allocation_bound(0), [&] { return parse_jaas(text); });
      break;
    default:
      if (const auto decoded = bounded(text.size(), [&] { return from_base64(text); }))
        check(to_base64(*decoded) == text, "base64 of two texts is the same");
  }
}
