// An absolute address of HTTP: where a client connects to, and what it asks for there.
#pragma once

#include <weir/result.h>

#include <string>
#include <string_view>

#include "io/net.h"

namespace weir::http {

/// "https://host:8081/prefix?x=1" taken apart.
struct Url {
  bool tls = false;
  io::Endpoint at;    // its host in lower case, an IPv6 address without brackets
  std::string path;   // "/prefix", without a '/' at its end; "" for the root
  std::string query;  // "x=1"

  /// "host:8081" as Host has it: brackets around IPv6, no port if it is the scheme's own.
  std::string authority() const;
  /// "https://host:8081": all of it that may stand in a message.
  std::string origin() const;
  std::string to_string() const;
  /// http and https; without a port 80 and 443. User information, fragments, other schemes and what
  /// would have to be percent-encoded are refused: Errc::invalid_argument says which. The message
  /// shows nothing of the text, which may hold a password.
  static Result<Url> parse(std::string_view text);
};

}  // namespace weir::http
