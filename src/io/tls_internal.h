// Shared by the two halves of TLS; the only header with OpenSSL in it, and nobody outside io
// includes it.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "io/tls.h"

namespace weir::io {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
using SslPtr = std::unique_ptr<SSL, Release<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using CertificatePtr = std::unique_ptr<X509, Release<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Release<BIO_free_all>>;

class OpenSslContext final : public TlsContext {
 public:
  OpenSslContext(SslContextPtr context, const TlsOptions& options)
      : context_(std::move(context)),
        verify_host_name_(options.verify_host_name),
        has_identity_(options.identity.has_value()) {}

  SSL_CTX* get() const { return context_.get(); }
  bool verify_host_name() const { return verify_host_name_; }
  bool has_identity() const { return has_identity_; }

 private:
  SslContextPtr context_;
  bool verify_host_name_;
  bool has_identity_;
};

/// OpenSSL's own words for the last failure of this thread; its queue is empty then.
std::string last_openssl_error();
/// "CN=a,O=b", as RFC 2253 writes it, escaped.
std::string name_text(const X509_NAME* name);

/// Told by OpenSSL while it verifies a chain; in tls_stream.cc.
int on_verified(int ok, X509_STORE_CTX* store);
/// Told by OpenSSL when a server asks a client for its certificate.
int on_certificate_wanted(SSL* ssl, void*);

}  // namespace weir::io
