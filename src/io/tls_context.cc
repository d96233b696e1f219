// TLS contexts: certificates and keys are read and checked here.
#include <fmt/core.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "io/tls_internal.h"

namespace weir::io {
namespace {

// A sender may put so many bytes of one read into OpenSSL's buffer: four records of the largest
// size, so that a burst costs fewer system calls. The buffer is given back when it is empty.
constexpr std::size_t read_buffer_bytes = 64U * 1024;

using Certificates = std::vector<CertificatePtr>;
using Pkcs12Ptr = std::unique_ptr<PKCS12, Release<PKCS12_free>>;

struct Held {
  Certificates certificates;
  KeyPtr key;
};

tl::unexpected<Error> wrong(const std::string& origin, std::string_view what) {
  return fail(Errc::invalid_setting, fmt::format("{}: {}", origin, what));
}

BioPtr reader_of(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

struct Password {
  const Secret* secret;
  bool asked = false;
};

int give_password(char* out, int size, int, void* data) {
  auto& password = *static_cast<Password*>(data);
  password.asked = true;
  const std::string_view text = password.secret->reveal();
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(out, text.data(), text.size());
  return static_cast<int>(text.size());
}

Result<KeyPtr> read_key(std::string_view pem, const Secret& password, const std::string& origin) {
  const BioPtr reader = reader_of(pem);
  Password given{&password};
  KeyPtr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, give_password, &given));
  if (key != nullptr) {
    ERR_clear_error();
    return key;
  }
  const std::string why = last_openssl_error();
  if (given.asked && password.empty())
    return wrong(origin, "the private key is encrypted; set ssl.key.password");
  if (given.asked) return wrong(origin, "the private key does not open with ssl.key.password");
  return wrong(origin, "no private key in PEM: " + why);
}

Result<Certificates> read_certificates(std::string_view pem, const std::string& origin) {
  const BioPtr reader = reader_of(pem);
  Certificates out;
  while (X509* certificate = PEM_read_bio_X509_AUX(reader.get(), nullptr, nullptr, nullptr))
    out.emplace_back(certificate);
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string why = last_openssl_error();
  if (!at_end) return wrong(origin, "a certificate cannot be read: " + why);
  if (out.empty()) return wrong(origin, "no certificate in it");
  return out;
}

Result<Held> read_pkcs12(std::string_view bytes, const Secret& password,
                         const std::string& origin) {
  const BioPtr reader = reader_of(bytes);
  const Pkcs12Ptr box(d2i_PKCS12_bio(reader.get(), nullptr));
  if (box == nullptr) {
    ERR_clear_error();
    return wrong(origin, "neither PEM nor PKCS#12");
  }
  std::string text(password.reveal());
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* others = nullptr;
  const bool opened = PKCS12_parse(box.get(), text.c_str(), &key, &certificate, &others) == 1;
  wipe(text);
  if (!opened)
    return wrong(origin, "the PKCS#12 does not open with its password: " + last_openssl_error());
  Held held;
  held.key.reset(key);
  if (certificate != nullptr) held.certificates.emplace_back(certificate);
  for (int i = 0; i < sk_X509_num(others); ++i)
    held.certificates.emplace_back(sk_X509_value(others, i));
  sk_X509_free(others);
  return held;
}

bool is_pem(std::string_view bytes) { return bytes.find("-----BEGIN ") != std::string_view::npos; }

Result<void> refuse_java_store(std::string_view bytes, const std::string& origin) {
  if (!bytes.starts_with("\xfe\xed\xfe\xed") && !bytes.starts_with("\xce\xce\xce\xce")) return {};
  return wrong(origin,
               "a Java key store (JKS), which only Java reads; convert it: keytool "
               "-importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12");
}

Result<Held> read_held(std::string_view bytes, const Secret& password, const std::string& origin) {
  if (bytes.empty()) return wrong(origin, "it is empty");
  if (auto fine = refuse_java_store(bytes, origin); !fine) return fail(fine.error());
  if (!is_pem(bytes)) return read_pkcs12(bytes, password, origin);
  auto certificates = read_certificates(bytes, origin);
  if (!certificates) return fail(certificates.error());
  return Held{.certificates = std::move(*certificates), .key = nullptr};
}

Result<void> take_trust(SSL_CTX* context, const TlsOptions& options, bool is_client) {
  if (options.trust.empty()) {
    if (is_client && SSL_CTX_set_default_verify_paths(context) != 1)
      return wrong("ssl.truststore.location", "the system has no store of authorities");
    return {};
  }
  auto held = read_held(options.trust, options.trust_password, options.trust_origin);
  if (!held) return fail(held.error());
  if (held->certificates.empty()) return wrong(options.trust_origin, "no certificate in it");
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const CertificatePtr& certificate : held->certificates) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1)
      return wrong(options.trust_origin, last_openssl_error());
    // A server says whose certificates it takes.
    if (!is_client) SSL_CTX_add_client_CA(context, certificate.get());
  }
  return {};
}

Result<void> take_identity(SSL_CTX* context, const TlsIdentity& identity) {
  const std::string_view bytes = identity.certificates.reveal();
  auto held = read_held(bytes, identity.password, identity.origin);
  if (!held) return fail(held.error());
  if (held->certificates.empty()) return wrong(identity.origin, "no certificate in it");
  if (held->key == nullptr) {
    if (!is_pem(bytes)) return wrong(identity.origin, "no private key in it");
    auto key = read_key(identity.key.empty() ? bytes : identity.key.reveal(), identity.password,
                        identity.key.empty() ? identity.origin : "ssl.keystore.key");
    if (!key) return fail(key.error());
    held->key = std::move(*key);
  }
  if (SSL_CTX_use_certificate(context, held->certificates.front().get()) != 1)
    return wrong(identity.origin, last_openssl_error());
  for (std::size_t i = 1; i < held->certificates.size(); ++i)
    if (SSL_CTX_add1_chain_cert(context, held->certificates[i].get()) != 1)
      return wrong(identity.origin, last_openssl_error());
  if (SSL_CTX_use_PrivateKey(context, held->key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return wrong(identity.origin, "the private key is not that of the first certificate");
  }
  return {};
}

int number_of(TlsVersion version) {
  return version == TlsVersion::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

Result<std::shared_ptr<const TlsContext>> make(const TlsOptions& options, bool is_client) {
  ERR_clear_error();
  SslContextPtr context(SSL_CTX_new(is_client ? TLS_client_method() : TLS_server_method()));
  if (context == nullptr) return fail(Errc::unsupported, "TLS: " + last_openssl_error());
  SSL_CTX* raw = context.get();
  if (options.oldest > options.newest)
    return fail(Errc::invalid_setting, "TLS: the oldest version is newer than the newest");
  SSL_CTX_set_min_proto_version(raw, number_of(options.oldest));
  SSL_CTX_set_max_proto_version(raw, number_of(options.newest));
  // No renegotiation, and no sessions to take up: each connection proves itself anew.
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_default_read_buffer_len(raw, read_buffer_bytes);
  if (auto taken = take_trust(raw, options, is_client); !taken) return fail(taken.error());
  if (options.identity) {
    if (auto taken = take_identity(raw, *options.identity); !taken) return fail(taken.error());
  } else if (!is_client) {
    return fail(Errc::invalid_setting,
                "a TLS listener without a certificate; set "
                "ssl.keystore.location");
  }
  int mode = SSL_VERIFY_NONE;
  if (is_client || options.client_auth != ClientAuth::none) mode = SSL_VERIFY_PEER;
  if (options.client_auth == ClientAuth::required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  if (!is_client && mode != SSL_VERIFY_NONE && options.trust.empty())
    return fail(Errc::invalid_setting,
                "client certificates are wanted, and no authority is "
                "believed; set ssl.truststore.location");
  SSL_CTX_set_verify(raw, mode, on_verified);
  if (is_client) SSL_CTX_set_cert_cb(raw, on_certificate_wanted, nullptr);
  return std::make_shared<OpenSslContext>(std::move(context), options);
}

}  // namespace

std::string last_openssl_error() {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(error);
  ERR_clear_error();
  return reason == nullptr ? "unknown" : reason;
}

std::string name_text(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (name == nullptr || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  const char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return escape_for_log({text, static_cast<std::size_t>(std::max(size, 0L))});
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsOptions& options) {
  return make(options, true);
}
Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsOptions& options) {
  return make(options, false);
}

}  // namespace weir::io
