#include "broker/options.h"

#include <algorithm>

namespace weir::broker {
namespace {

struct NamedEndpoint {
  std::string name;
  io::Endpoint at;
};

Result<NamedEndpoint> parse_listener(std::string_view setting, const std::string& text) {
  const auto bad = [&](std::string_view why) {
    return fail(Errc::invalid_setting, std::string(setting) + ": '" + text +
                                           "': " + std::string(why) + "; want NAME://HOST:PORT");
  };
  const std::size_t colon = text.find("://");
  if (colon == std::string::npos || colon == 0) return bad("no name");
  auto at = io::Endpoint::parse(text.substr(colon + 3));
  if (!at) return bad(at.error().message());
  return NamedEndpoint{.name = text.substr(0, colon), .at = std::move(*at)};
}

}  // namespace

Result<std::vector<ListenerOptions>> listeners_from(const config::Settings& settings) {
  std::vector<ListenerOptions> out;
  for (const auto& text : settings.get_list("listeners")) {
    auto parsed = parse_listener("listeners", text);
    if (!parsed) return fail(parsed.error());
    for (const auto& other : out)
      if (other.name == parsed->name)
        return fail(Errc::invalid_setting, "listeners: the name " + parsed->name + " comes twice");
    out.push_back({.name = std::move(parsed->name), .at = std::move(parsed->at), .advertised = {}});
  }
  if (out.empty())
    return fail(Errc::invalid_setting, "listeners: want at least one NAME://HOST:PORT");
  for (const auto& text : settings.get_list("advertised.listeners")) {
    auto parsed = parse_listener("advertised.listeners", text);
    if (!parsed) return fail(parsed.error());
    const auto found =
        std::find_if(out.begin(), out.end(), [&](const auto& l) { return l.name == parsed->name; });
    if (found == out.end())
      return fail(Errc::invalid_setting,
                  "advertised.listeners: no listener is named " + parsed->name);
    found->advertised = std::move(parsed->at);
  }
  return out;
}

}  // namespace weir::broker
