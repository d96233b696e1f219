// A TLS stream: OpenSSL between our stream and the one below, which it reads and writes through a
// BIO of ours, so that bytes go straight from the network into OpenSSL's buffer and encrypted ones
// leave in large slices.
#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "io/tls_internal.h"

namespace weir::io {
namespace {

// The most that one TLS record holds.
constexpr std::size_t record_bytes = 16U * 1024;
// What a record adds: its header, nonce, tag and padding.
constexpr std::size_t record_overhead = 256;
// Encrypted bytes that wait below; above, what is written waits in the clear.
constexpr std::size_t encrypted_ahead_bytes = 256U * 1024;
constexpr std::size_t file_chunk_bytes = 256U * 1024;
// Names of a certificate that a message shows.
constexpr int shown_names = 8;

class OpenSslStream;

/// Holds a stream until its handshake has ended; owned by its timer's task, so that it goes with
/// the loop.
struct Handshake {
  std::unique_ptr<OpenSslStream> stream;
  TlsDone done;
  TimerId timer = TimerId::none;
};

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

// OpenSSL's macro for it has an old cast in it.
void set_shown_name(SSL* ssl, std::string host) {
  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
}

std::string time_text(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return "an unknown time";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int size = ASN1_STRING_length(address);
  const int family = size == 4 ? AF_INET : AF_INET6;
  if ((size != 4 && size != 16) ||
      ::inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size()) == nullptr)
    return "?";
  return text.data();
}

/// The names that a certificate is for: "shop.example, *.shop.example, 10.0.0.1".
std::string names_of(X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string out;
  const int count = sk_GENERAL_NAME_num(names);
  for (int i = 0; i < count && i < shown_names; ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
    std::string name;
    if (type == GEN_DNS) {
      const auto* text = static_cast<const ASN1_STRING*>(value);
      name = escape_for_log({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                             static_cast<std::size_t>(ASN1_STRING_length(text))},
                            64);
    } else if (type == GEN_IPADD) {
      name = address_text(static_cast<const ASN1_OCTET_STRING*>(value));
    } else {
      continue;
    }
    out += (out.empty() ? "" : ", ") + name;
  }
  if (count > shown_names) out += ", …";
  GENERAL_NAMES_free(names);
  return out.empty() ? "no name but " + name_text(X509_get_subject_name(certificate)) : out;
}

class OpenSslStream final : public TlsStream, private StreamHandler {
 public:
  OpenSslStream(Loop& loop, std::unique_ptr<Stream> below, TlsStart start, bool is_client);
  ~OpenSslStream() override {
    *alive_ = false;
    shut();
  }

  /// Begins; `handshake` holds this until it has ended.
  void begin(const std::shared_ptr<Handshake>& handshake) {
    handshake_ = handshake;
    below_->set_handler(this);
    step();
  }
  void time_out() {
    end_handshake(Error(Errc::timed_out, "the TLS handshake was not answered in time"));
  }

  void set_handler(StreamHandler* handler) override {
    handler_ = handler;
    if (handler != nullptr) plan_notice();
  }
  Result<std::size_t> read_some(char* out, std::size_t size) override;
  void set_reading(bool on) override {
    reading_ = on;
    below_drained_ = false;
    below_->set_reading(on);
    if (on && (unread_ || failed_ || SSL_has_pending(ssl_.get()) == 1)) plan_notice();
  }
  void write(OutPiece piece) override;
  std::size_t queued_bytes() const override { return queued_bytes_ + below_->queued_bytes(); }
  void set_send_buffer(std::size_t bytes) override { below_->set_send_buffer(bytes); }
  Endpoint peer() const override { return below_->peer(); }
  Endpoint local() const override { return below_->local(); }
  void close() override {
    handler_ = nullptr;
    shut();
  }

  std::string_view version() const override { return SSL_get_version(ssl_.get()); }
  std::string peer_subject() const override {
    X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    return certificate == nullptr ? std::string() : name_text(X509_get_subject_name(certificate));
  }

  void note_verification(int ok, X509_STORE_CTX* store);
  void note_certificate_wanted() { certificate_wanted_ = true; }

 private:
  enum class State : std::uint8_t { handshake, open, shut };

  static BIO_METHOD* bio_method();
  static OpenSslStream& of(BIO* bio) { return *static_cast<OpenSslStream*>(BIO_get_data(bio)); }
  int bio_read(BIO* bio, char* out, std::size_t size, std::size_t* got);
  void bio_write(const char* bytes, std::size_t size);

  void step();
  void end_handshake(const Result<void>& outcome);
  void end_handshake(Error why) { end_handshake(Result<void>(fail(std::move(why)))); }
  Error explain(int why);
  std::optional<Error> explain_verification() const;
  Error explain_handshake(int reason) const;
  void shut();

  void on_readable() override;
  void on_drained() override;
  void on_closed(const Error& why) override;
  void notice();
  void plan_notice();

  void plan_flush();
  void flush();
  bool encrypt(std::string_view bytes);
  bool encrypt_front();
  bool read_file_chunk();
  void give_below();

  Loop& loop_;
  std::unique_ptr<Stream> below_;
  const TlsStart start_;
  const bool is_client_;
  const OpenSslContext& context_;
  SslPtr ssl_;
  State state_ = State::handshake;
  std::weak_ptr<Handshake> handshake_;
  StreamHandler* handler_ = nullptr;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  // Reading.
  std::optional<Error> below_error_;  // what the stream below said at its end
  std::optional<Error> failed_;       // told by the next read
  std::size_t bytes_in_ = 0;          // of the handshake
  bool below_drained_ = false;        // the last read got less than it asked for: saves a call
  bool reading_ = true;
  bool unread_ = false;  // the last read filled all that there was room for
  bool notice_planned_ = false;
  bool certificate_wanted_ = false;
  bool has_read_ = false;     // what was said by the application of the other side
  std::string verification_;  // why the other side's certificate is not believed

  // Writing.
  std::deque<OutPiece> queue_;  // in the clear
  std::size_t sent_of_front_ = 0;
  std::size_t queued_bytes_ = 0;
  std::vector<char> gathered_;  // small pieces on their way into one record
  Slice encrypted_;             // being filled
  std::size_t encrypted_used_ = 0;
  bool flush_planned_ = false;
  bool reading_file_ = false;
};

OpenSslStream::OpenSslStream(Loop& loop, std::unique_ptr<Stream> below, TlsStart start,
                             bool is_client)
    : loop_(loop),
      below_(std::move(below)),
      start_(std::move(start)),
      is_client_(is_client),
      context_(static_cast<const OpenSslContext&>(*start_.context)),
      ssl_(SSL_new(context_.get())) {
  check(ssl_ != nullptr, "TLS: no memory for a connection");
  SSL_set_app_data(ssl_.get(), this);
  BIO* bio = BIO_new(bio_method());
  check(bio != nullptr, "TLS: no memory for a connection");
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_time(rules, static_cast<std::time_t>(loop_.clock().wall_ms() / 1000));
  if (!is_client_) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  const std::string& host = start_.host;
  // RFC 6066: the name that is shown is never an address.
  if (!is_address(host)) set_shown_name(ssl_.get(), host);
  if (!context_.verify_host_name()) return;
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool set = is_address(host)
                       ? X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1
                       : X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size()) == 1;
  check(set && !host.empty(), "TLS: no host name to hold the certificate against");
}

// OpenSSL's table of what a BIO does; made once for the process.
BIO_METHOD* OpenSslStream::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
    check(made != nullptr, "TLS: no memory");
    BIO_meth_set_read_ex(made, [](BIO* bio, char* out, std::size_t size, std::size_t* got) {
      return of(bio).bio_read(bio, out, size, got);
    });
    BIO_meth_set_write_ex(made,
                          [](BIO* bio, const char* bytes, std::size_t size, std::size_t* put) {
                            of(bio).bio_write(bytes, size);
                            *put = size;
                            return 1;
                          });
    BIO_meth_set_ctrl(made, [](BIO*, int command, long, void*) -> long {
      return command == BIO_CTRL_FLUSH ? 1 : 0;
    });
    return made;
  }();
  return method;
}

int OpenSslStream::bio_read(BIO* bio, char* out, std::size_t size, std::size_t* got) {
  BIO_clear_retry_flags(bio);
  *got = 0;
  if (below_error_) return 0;
  if (below_drained_) {
    BIO_set_retry_read(bio);
    return 0;
  }
  const auto read = below_->read_some(out, size);
  if (!read) {
    below_error_ = read.error();
    return 0;
  }
  below_drained_ = *read < size;
  if (*read == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  *got = *read;
  if (state_ == State::handshake) bytes_in_ += *read;
  return 1;
}

void OpenSslStream::bio_write(const char* bytes, std::size_t size) {
  while (size > 0) {
    if (encrypted_.empty()) {
      const std::size_t waiting = queued_bytes_ + gathered_.size();
      const std::size_t whole = waiting + (waiting / record_bytes + 1) * record_overhead;
      encrypted_ = Slice::allocate(std::clamp(std::max(whole, size), std::size_t{512},
                                              record_bytes * 4 + 4 * record_overhead));
      encrypted_used_ = 0;
    }
    const std::size_t n = std::min(size, encrypted_.size() - encrypted_used_);
    std::copy_n(bytes, n, encrypted_.mutable_data() + encrypted_used_);
    encrypted_used_ += n;
    bytes += n;
    size -= n;
    if (encrypted_used_ == encrypted_.size()) give_below();
  }
}

void OpenSslStream::give_below() {
  if (encrypted_used_ == 0) return;
  below_->write(encrypted_.sub(0, encrypted_used_));
  encrypted_ = {};
  encrypted_used_ = 0;
}

void OpenSslStream::step() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    give_below();
    state_ = State::open;
    return end_handshake({});
  }
  const int why = SSL_get_error(ssl_.get(), done);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return give_below();
  end_handshake(explain(why));
}

void OpenSslStream::end_handshake(const Result<void>& outcome) {
  const auto handshake = handshake_.lock();
  if (handshake == nullptr) return;
  handshake_.reset();
  loop_.cancel(handshake->timer);
  TlsDone done = std::move(handshake->done);
  if (outcome) return done(std::move(handshake->stream));
  shut();  // what OpenSSL has to say about it goes to the other side
  // Destroyed later: this is inside one of its calls.
  loop_.post([gone = std::shared_ptr(std::move(handshake->stream))] {});
  done(fail(outcome.error()));
}

std::optional<Error> OpenSslStream::explain_verification() const {
  if (verification_.empty()) return std::nullopt;
  return Error(Errc::tls_handshake_failed, verification_);
}

Error OpenSslStream::explain_handshake(int reason) const {
  const auto refused = [](std::string text) {
    return Error(Errc::tls_handshake_failed, std::move(text));
  };
  const bool silent = certificate_wanted_ && !context_.has_identity();
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_BAD_LENGTH:
      return refused(is_client_ ? "the peer does not speak TLS: this may be a plain-text port "
                                  "(security.protocol)"
                                : "what the peer sends is not TLS: it may take this for a "
                                  "plain-text port");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return refused(
          "no version of TLS that both sides speak (ours: 1.2 and 1.3, unless set "
          "otherwise)");
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: return refused("no cipher that both sides speak");
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return refused("the peer has shown no certificate, and one is required");
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return refused("the peer wants a client certificate; set ssl.keystore.location");
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return refused(is_client_ ? "the peer does not trust the authority of our certificate"
                                : "the peer does not trust the authority of our certificate; it "
                                  "may need another ssl.truststore.location");
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return refused("the peer says that our certificate has expired");
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      if (silent) return refused("the peer wants a client certificate; set ssl.keystore.location");
      break;
    default: break;
  }
  const char* text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
  return refused(fmt::format("the TLS handshake failed: {}", text == nullptr ? "unknown" : text));
}

Error OpenSslStream::explain(int why) {
  const bool early = state_ == State::handshake;
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
  if (why == SSL_ERROR_ZERO_RETURN) return Error(Errc::connection_closed, std::string(orderly_end));
  if (below_error_) {
    ERR_clear_error();
    if (!early)
      return is_orderly_end(*below_error_)
                 ? Error(Errc::connection_closed, "cut: the peer ended it without ending TLS")
                 : *below_error_;
    return Error(
        below_error_->code(),
        fmt::format("{} during the TLS handshake{}", below_error_->message(),
                    bytes_in_ == 0 ? ", before an answer: is this a plain-text port?" : ""));
  }
  const std::string text = last_openssl_error();
  if (auto told = explain_verification()) return *told;
  // With TLS 1.3 a server judges our certificate after the client has gone on.
  const bool is_alert = reason > SSL_AD_REASON_OFFSET;
  if (early || (is_alert && is_client_ && !has_read_)) return explain_handshake(reason);
  return Error(Errc::connection_closed, fmt::format("TLS: {}", text));
}

void OpenSslStream::note_verification(int ok, X509_STORE_CTX* store) {
  if (ok == 1 || !verification_.empty()) return;
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  const int error = X509_STORE_CTX_get_error(store);
  const std::string subject =
      certificate == nullptr ? "unknown" : name_text(X509_get_subject_name(certificate));
  const std::string_view whose = is_client_ ? "server" : "client";
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      verification_ = fmt::format("the server's certificate is not for {}: it is for {}",
                                  escape_for_log(start_.host, 256),
                                  certificate == nullptr ? "nobody" : names_of(certificate));
      break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      verification_ = fmt::format("the {}'s certificate {} has expired at {}", whose, subject,
                                  time_text(X509_get0_notAfter(certificate)));
      break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      verification_ = fmt::format("the {}'s certificate {} is not valid before {}", whose, subject,
                                  time_text(X509_get0_notBefore(certificate)));
      break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      verification_ = fmt::format(
          "the {}'s certificate {} is signed by {}, which is not trusted (ssl.truststore.location)",
          whose, subject, name_text(X509_get_issuer_name(certificate)));
      break;
    default:
      verification_ = fmt::format("the {}'s certificate {}: {}", whose, subject,
                                  X509_verify_cert_error_string(error));
  }
}

void OpenSslStream::shut() {
  if (state_ == State::shut) return;
  const bool polite = state_ == State::open && !failed_ && !below_error_ && queue_.empty() &&
                      below_->queued_bytes() == 0;
  const bool refuses = state_ == State::handshake && !below_error_;
  state_ = State::shut;
  queue_.clear();
  ERR_clear_error();
  if (polite) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  // A client in plain text hears nothing from OpenSSL; an alert lets it say what is wrong.
  if (refuses && !is_client_ && encrypted_used_ == 0 && bytes_in_ > 0 &&
      SSL_get_state(ssl_.get()) == TLS_ST_BEFORE)
    bio_write("\x15\x03\x03\x00\x02\x02\x0a", 7);
  if ((polite || refuses) && encrypted_used_ > 0) {
    below_->close_with(encrypted_.sub(0, encrypted_used_));
  } else {
    below_->close();
  }
  encrypted_used_ = 0;
}

Result<std::size_t> OpenSslStream::read_some(char* out, std::size_t size) {
  unread_ = false;
  if (state_ != State::open) return fail(Errc::connection_closed, "closed");
  if (failed_) return fail(*failed_);
  std::size_t total = 0;
  ERR_clear_error();
  while (total < size) {
    std::size_t n = 0;
    const int read = SSL_read_ex(ssl_.get(), out + total, size - total, &n);
    if (read == 1) {
      total += n;
      has_read_ = true;
      continue;
    }
    const int why = SSL_get_error(ssl_.get(), read);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) break;
    failed_ = explain(why);
    break;
  }
  give_below();  // an answer to a change of keys, or an alert
  if (total == 0 && failed_) return fail(*failed_);
  unread_ = total == size || failed_.has_value();
  return total;
}

void OpenSslStream::on_readable() {
  below_drained_ = false;
  if (state_ == State::handshake) return step();
  notice();
}

void OpenSslStream::notice() {
  if (handler_ == nullptr) return;
  const auto alive = alive_;
  unread_ = false;
  handler_->on_readable();
  if (*alive && unread_ && reading_) plan_notice();
}

void OpenSslStream::plan_notice() {
  if (notice_planned_) return;
  notice_planned_ = true;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    notice_planned_ = false;
    if (reading_ && state_ == State::open) notice();
  });
}

void OpenSslStream::on_closed(const Error& why) {
  below_error_ = why;
  if (state_ == State::handshake)
    return end_handshake(Error(why.code(), why.message() + " during the TLS handshake"));
  if (handler_ != nullptr) std::exchange(handler_, nullptr)->on_closed(why);
}

void OpenSslStream::write(OutPiece piece) {
  if (state_ != State::open) return;
  if (const auto* slice = std::get_if<Slice>(&piece)) {
    queued_bytes_ += slice->size();
  } else {
    queued_bytes_ += static_cast<std::size_t>(std::get<FileRange>(piece).size);
  }
  queue_.push_back(std::move(piece));
  plan_flush();
}

void OpenSslStream::plan_flush() {
  if (flush_planned_ || reading_file_ || below_->queued_bytes() >= encrypted_ahead_bytes) return;
  flush_planned_ = true;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    flush_planned_ = false;
    if (state_ == State::open) flush();
  });
}

void OpenSslStream::flush() {
  while (!queue_.empty() && !reading_file_ &&
         below_->queued_bytes() + encrypted_used_ < encrypted_ahead_bytes) {
    if (std::holds_alternative<FileRange>(queue_.front())) {
      if ((!gathered_.empty() && !encrypt({})) || !read_file_chunk()) return;
    } else if (!encrypt_front()) {
      return;
    }
  }
  if (!gathered_.empty() && !encrypt({})) return;
  give_below();
}

/// Takes one step with the slice in front: small ones are gathered into whole records.
bool OpenSslStream::encrypt_front() {
  const auto& slice = std::get<Slice>(queue_.front());
  const std::string_view rest = slice.view().substr(sent_of_front_);
  std::size_t taken = 0;
  if (gathered_.empty() && rest.size() >= record_bytes) {
    taken = std::min(rest.size(), 4 * record_bytes) / record_bytes * record_bytes;
    if (!encrypt(rest.substr(0, taken))) return false;
  } else {
    taken = std::min(rest.size(), record_bytes - gathered_.size());
    gathered_.insert(gathered_.end(), rest.begin(),
                     rest.begin() + static_cast<std::ptrdiff_t>(taken));
  }
  queued_bytes_ -= taken;
  sent_of_front_ += taken;
  if (sent_of_front_ == slice.size()) {
    queue_.pop_front();
    sent_of_front_ = 0;
  }
  return gathered_.size() < record_bytes || encrypt({});
}

/// What was gathered if `bytes` is empty. False: it failed, and the handler was told.
bool OpenSslStream::encrypt(std::string_view bytes) {
  if (bytes.empty()) bytes = {gathered_.data(), gathered_.size()};
  ERR_clear_error();
  std::size_t written = 0;
  const int done = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
  gathered_.clear();
  if (done == 1 && written == bytes.size()) return true;
  failed_ = Error(Errc::connection_closed, "TLS: send: " + last_openssl_error());
  queue_.clear();
  queued_bytes_ = 0;
  below_->close();
  if (handler_ != nullptr) std::exchange(handler_, nullptr)->on_closed(*failed_);
  return false;
}

/// The next bytes of the file in front become a slice. False: it failed, and the handler was told.
bool OpenSslStream::read_file_chunk() {
  auto& range = std::get<FileRange>(queue_.front());
  const std::size_t size = std::min<std::uint64_t>(range.size, file_chunk_bytes);
  Slice chunk = Slice::allocate(size);
  const auto read = [file = range.file, offset = range.offset](Slice into) {
    const auto got = file->read_at(offset, into.mutable_data(), into.size());
    return got && *got == into.size();
  };
  range.offset += size;
  range.size -= size;
  if (range.size == 0) queue_.pop_front();
  const auto take = [this](bool whole, Slice bytes) {
    if (whole) {
      queue_.emplace_front(std::move(bytes));
      return true;
    }
    below_->close();
    if (handler_ != nullptr)
      std::exchange(handler_, nullptr)
          ->on_closed(Error(Errc::connection_closed, "a file that was being sent became shorter"));
    return false;
  };
  if (start_.file_reads == nullptr) return take(read(chunk), chunk);
  reading_file_ = true;
  auto whole = std::make_shared<bool>(false);  // written by the worker, read after it
  start_.file_reads->run([whole, read, chunk] { *whole = read(chunk); },
                         [this, alive = alive_, whole, take, chunk] {
                           if (!*alive) return;
                           reading_file_ = false;
                           if (state_ == State::open && take(*whole, chunk)) flush();
                         });
  return true;
}

void OpenSslStream::on_drained() {
  if (state_ != State::open) return;
  if (!queue_.empty()) {
    if (!reading_file_) flush();
    return;
  }
  if (!reading_file_ && gathered_.empty() && handler_ != nullptr) handler_->on_drained();
}

void start(Loop& loop, std::unique_ptr<Stream> stream, TlsStart how, TlsDone done, bool is_client) {
  auto handshake = std::make_shared<Handshake>();  // its timer's task owns it
  const Duration timeout = how.timeout;
  handshake->stream =
      std::make_unique<OpenSslStream>(loop, std::move(stream), std::move(how), is_client);
  handshake->done = std::move(done);
  handshake->timer = loop.call_after(timeout, [handshake] {
    if (handshake->stream != nullptr) handshake->stream->time_out();
  });
  handshake->stream->begin(handshake);
}

}  // namespace

int on_verified(int ok, X509_STORE_CTX* store) {
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  static_cast<OpenSslStream*>(SSL_get_app_data(ssl))->note_verification(ok, store);
  return ok;
}

int on_certificate_wanted(SSL* ssl, void*) {
  static_cast<OpenSslStream*>(SSL_get_app_data(ssl))->note_certificate_wanted();
  return 1;
}

void start_tls_client(Loop& loop, std::unique_ptr<Stream> stream, TlsStart how, TlsDone done) {
  start(loop, std::move(stream), std::move(how), std::move(done), true);
}
void start_tls_server(Loop& loop, std::unique_ptr<Stream> stream, TlsStart how, TlsDone done) {
  start(loop, std::move(stream), std::move(how), std::move(done), false);
}

}  // namespace weir::io
