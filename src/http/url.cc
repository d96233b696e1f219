#include "http/url.h"

#include <charconv>

#include "http/framing.h"
#include "http/parser.h"

namespace weir::http {
namespace {

constexpr std::size_t longest_url = 8U * 1024;

constexpr std::uint16_t port_of(bool tls) { return tls ? 443 : 80; }

/// "host:8081" without its port; nothing if there is one that cannot be connected to.
std::optional<std::uint16_t> read_port(std::string_view authority, bool tls) {
  const auto colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.ends_with(']')) return port_of(tls);
  const std::string_view text = authority.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

std::string Url::authority() const {
  if (at.port != port_of(tls)) return at.to_string();
  return at.host.find(':') == std::string::npos ? at.host : "[" + at.host + "]";
}

std::string Url::origin() const { return (tls ? "https://" : "http://") + authority(); }

std::string Url::to_string() const { return origin() + path + (query.empty() ? "" : "?" + query); }

Result<Url> Url::parse(std::string_view text) {
  const auto bad = [](std::string_view why) {
    return fail(Errc::invalid_argument,
                "the URL " + std::string(why) + "; want http://HOST:PORT or https://HOST:PORT");
  };
  if (text.size() > longest_url) return bad("is too long");
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return bad("has no scheme");
  const std::string_view scheme = text.substr(0, scheme_end);
  Url out;
  out.tls = equal_without_case(scheme, "https");
  if (!out.tls && !equal_without_case(scheme, "http"))
    return bad("has a scheme that is neither http nor https");
  std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find('#') != std::string_view::npos) return bad("has a fragment (#)");
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  rest.remove_prefix(authority.size());
  if (authority.find('@') != std::string_view::npos)
    return bad("has user information (USER:PASSWORD@), which belongs into settings of its own");
  out.at.host = host_of(authority);
  const auto port = read_port(authority, out.tls);
  if (out.at.host.empty()) return bad("names no host, or a port that is no number");
  if (!port) return bad("has port 0");
  out.at.port = *port;
  if (!is_target(rest)) return bad("has a character that must be percent-encoded");
  const auto mark = rest.find('?');
  out.path = rest.substr(0, mark);
  while (out.path.ends_with('/')) out.path.pop_back();
  if (mark != std::string_view::npos) out.query = rest.substr(mark + 1);
  return out;
}

}  // namespace weir::http
