// The settings of TLS and SASL, checked, with the files that they name read.
#pragma once

#include <weir/client.h>

#include <memory>
#include <optional>

#include "io/file.h"
#include "io/tls.h"
#include "sasl/mechanism.h"

namespace weir::client {

/// A larger file of certificates is refused.
inline constexpr std::size_t certificate_file_bytes = 4U * 1024 * 1024;

struct Security {
  SecurityProtocol protocol = SecurityProtocol::plaintext;
  std::shared_ptr<const io::TlsContext> tls;  // with ssl and sasl_ssl
  std::optional<sasl::Mechanism> mechanism;   // with sasl_plaintext and sasl_ssl
  ClientSasl sasl;
};

/// Errc::invalid_setting names the setting, or the file, and what is wrong with it; not_found and
/// permission_denied a file that cannot be read. Logs a warning where a password would travel in
/// plain text.
Result<Security> open_security(const ClientSecurity& asked, io::FileSystem& files);

}  // namespace weir::client
