#include "io/tls_test_kit.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "io/tls_internal.h"

namespace weir::io {
namespace {

std::string take(BIO* bio) {
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

BioPtr reader_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string pem_of(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(bio.get(), certificate) == 1, "no certificate");
  return take(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "no key");
  return take(bio.get());
}

KeyPtr read_key(const std::string& pem) {
  return KeyPtr(PEM_read_bio_PrivateKey(reader_of(pem).get(), nullptr, nullptr, nullptr));
}

void extend(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  check(extension != nullptr, "no extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void name(X509_NAME* out, const std::string& text) {
  X509_NAME_add_entry_by_txt(out, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0);
}

CertificatePtr blank(EVP_PKEY* key, const std::string& subject, std::int64_t from,
                     std::int64_t until) {
  static long serial = 0;
  CertificatePtr out(X509_new());
  X509_set_version(out.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(out.get()), from);
  ASN1_TIME_set(X509_getm_notAfter(out.get()), until);
  X509_set_pubkey(out.get(), key);
  name(X509_get_subject_name(out.get()), subject);
  return out;
}

}  // namespace

struct TestAuthority::Impl {
  std::int64_t now_s = 0;
  KeyPtr key;
  CertificatePtr certificate;
};

TestAuthority::TestAuthority(std::int64_t now_s, const std::string& subject)
    : impl_(std::make_unique<Impl>()) {
  impl_->now_s = now_s;
  impl_->key.reset(EVP_EC_gen("P-256"));
  constexpr std::int64_t years = 20LL * 365 * 24 * 3600;
  impl_->certificate = blank(impl_->key.get(), subject, now_s - years, now_s + years);
  X509* certificate = impl_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  extend(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  check(X509_sign(certificate, impl_->key.get(), EVP_sha256()) > 0, "not signed");
  certificate_ = pem_of(certificate);
}

TestAuthority::~TestAuthority() = default;

TestCertificate TestAuthority::sign(const TestSubject& subject) const {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr certificate =
      blank(key.get(), subject.name, impl_->now_s + subject.valid_from_s,
            impl_->now_s + subject.valid_until_s);
  X509* issuer = impl_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  std::string names;
  for (const auto& host : subject.hosts) names += (names.empty() ? "DNS:" : ",DNS:") + host;
  for (const auto& address : subject.addresses) names += (names.empty() ? "IP:" : ",IP:") + address;
  if (!names.empty()) extend(certificate.get(), issuer, NID_subject_alt_name, names);
  check(X509_sign(certificate.get(), impl_->key.get(), EVP_sha256()) > 0, "not signed");
  return {pem_of(certificate.get()), pem_of(key.get())};
}

std::string encrypted_key(const std::string& key, const std::string& password) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_PKCS8PrivateKey(bio.get(), read_key(key).get(), EVP_aes_256_cbc(),
                                      password.data(), static_cast<int>(password.size()), nullptr,
                                      nullptr) == 1,
        "not encrypted");
  return take(bio.get());
}

std::string pkcs12_of(const std::string& certificate, const std::string& key,
                      const std::string& password) {
  const CertificatePtr x509(
      PEM_read_bio_X509(reader_of(certificate).get(), nullptr, nullptr, nullptr));
  STACK_OF(X509)* others = sk_X509_new_null();
  if (key.empty()) sk_X509_push(others, x509.get());
  PKCS12* box = PKCS12_create(password.c_str(), "weir", key.empty() ? nullptr : read_key(key).get(),
                              key.empty() ? nullptr : x509.get(), others, 0, 0, 0, 0, 0);
  check(box != nullptr, "no PKCS#12");
  const BioPtr bio(BIO_new(BIO_s_mem()));
  i2d_PKCS12_bio(bio.get(), box);
  PKCS12_free(box);
  sk_X509_free(others);
  return take(bio.get());
}

TlsIdentity identity_of(const TestCertificate& certificate) {
  return {.certificates = certificate.certificate,
          .key = certificate.key,
          .password = {},
          .origin = "a test's certificate"};
}

}  // namespace weir::io
