// Certificates made for a test: an authority, and what it signs. Nothing of it is kept.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/tls.h"

namespace weir::io {

struct TestCertificate {
  std::string certificate;  // PEM
  std::string key;          // PEM, not encrypted
};

struct TestSubject {
  std::string name = "weir test";
  std::vector<std::string> hosts{};      // DNS names
  std::vector<std::string> addresses{};  // IP addresses
  std::int64_t valid_from_s = -3600;     // from the authority's time
  std::int64_t valid_until_s = 3600;
};

/// Signs with a key of its own, at a time of its own (seconds since 1970).
class TestAuthority {
 public:
  explicit TestAuthority(std::int64_t now_s, const std::string& name = "weir test authority");
  ~TestAuthority();
  const std::string& certificate() const { return certificate_; }
  TestCertificate sign(const TestSubject& subject) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string certificate_;
};

/// The key encrypted with a password, in PKCS#8.
std::string encrypted_key(const std::string& key, const std::string& password);
/// A PKCS#12 of certificate and key, or of certificates alone.
std::string pkcs12_of(const std::string& certificate, const std::string& key,
                      const std::string& password);

TlsIdentity identity_of(const TestCertificate& certificate);

}  // namespace weir::io
