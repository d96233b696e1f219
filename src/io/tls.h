// TLS 1.2 and 1.3 over any byte stream: contexts made of certificates and keys, and the streams.
#pragma once

#include <weir/secret.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/loop.h"
#include "io/net.h"

namespace weir::io {

/// Who one is: a certificate with its chain and its key, in PEM or PKCS#12, told apart by content.
struct TlsIdentity {
  Secret certificates{};  // the leaf first; may hold the key as well
  Secret key{};           // PEM; empty: it is among the certificates
  Secret password{};      // of the key, or of the PKCS#12
  std::string origin{};   // a file or a setting, for messages
};

/// Of a server: what it does about the certificates of its clients.
enum class ClientAuth : std::uint8_t { none, requested, required };
enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

struct TlsOptions {
  /// Certificates of the authorities that are believed, PEM or PKCS#12; empty: the system's store
  /// (of a client), or none (of a server).
  std::string trust{};
  Secret trust_password{};
  std::string trust_origin{};
  std::optional<TlsIdentity> identity{};  // a server must have one
  /// Of a client: must the certificate be for the name that was asked for?
  bool verify_host_name = true;
  ClientAuth client_auth = ClientAuth::none;
  TlsVersion oldest = TlsVersion::v1_2;
  TlsVersion newest = TlsVersion::v1_3;
};

/// Certificates read and checked, for any number of connections of one side. Immutable; any thread.
class TlsContext {
 public:
  /// Errc::invalid_setting names the origin and what is wrong with it.
  static Result<std::shared_ptr<const TlsContext>> client(const TlsOptions& options);
  static Result<std::shared_ptr<const TlsContext>> server(const TlsOptions& options);
  virtual ~TlsContext() = default;
};

/// A stream whose bytes are encrypted. Its handshake is done, and the other side is who it must be
/// (with TLS 1.3 a server may still refuse our certificate: then the first read fails).
class TlsStream : public Stream {
 public:
  /// "TLSv1.3".
  virtual std::string_view version() const = 0;
  /// The subject of the other side's certificate as RFC 2253 writes it; empty: it has shown none.
  virtual std::string peer_subject() const = 0;
};
/// Called exactly once, later or inside the call. Errc::tls_handshake_failed is a matter of
/// settings or certificates, and its message says which; timed_out and connection_closed are not.
using TlsDone = std::move_only_function<void(Result<std::unique_ptr<TlsStream>>)>;

struct TlsStart {
  std::shared_ptr<const TlsContext> context{};
  /// Of a client: the name or address that was asked for; shown to the server, and checked.
  std::string host{};
  Duration timeout = std::chrono::seconds(10);
  /// Reads the ranges of files that are written, so that the loop does not wait for a disk; it
  /// outlives the stream. Absent: the loop reads them.
  Worker* file_reads = nullptr;
};
/// Does the handshake over `stream`, which it owns from now on, also after a failure.
void start_tls_client(Loop& loop, std::unique_ptr<Stream> stream, TlsStart start, TlsDone done);
void start_tls_server(Loop& loop, std::unique_ptr<Stream> stream, TlsStart start, TlsDone done);

}  // namespace weir::io
