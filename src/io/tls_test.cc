// TLS: each claim over the simulated network, whose connections are split, delayed and cut, and the
// main ones over the machine's.
#include "io/tls.h"

#include <gtest/gtest.h>

#include "io/frame.h"
#include "io/process.h"
#include "io/runtime.h"
#include "io/sim_runtime.h"
#include "io/tls_internal.h"
#include "io/tls_test_kit.h"

namespace weir::io {
namespace {

using namespace std::chrono_literals;

/// Reads whatever comes; can stop reading.
class Sink final : public StreamHandler {
 public:
  void take(std::unique_ptr<Stream> given) {
    stream = std::move(given);
    stream->set_handler(this);
  }
  void on_readable() override {
    char part[10'000];
    for (;;) {
      const auto n = stream->read_some(part, read_size);
      if (!n) {
        closed = n.error();
        stream->set_handler(nullptr);
        return;
      }
      if (*n == 0) return;
      bytes.append(part, *n);
      if (one_read) return;
    }
  }
  void on_drained() override { ++drained; }
  void on_closed(const Error& why) override { closed = why; }

  std::unique_ptr<Stream> stream;
  std::string bytes;
  std::optional<Error> closed;
  int drained = 0;
  std::size_t read_size = 10'000;
  bool one_read = false;  // a handler may leave bytes for later
};

/// A server and a client on one simulated machine, whose clock is the certificates' time.
class tls : public ::testing::Test {
 protected:
  explicit tls(std::uint64_t seed = 11) : world_(seed) {}

  /// The simulated network ends a connection with the first half of a split last word; the
  /// machine's does not, so who listens for a last word takes this.
  void no_splits() { world_.set_options({.split_one_in = 0}); }

  TlsOptions server_options() { return {.identity = identity_of(server_certificate_)}; }
  TlsOptions client_options() {
    return {.trust = authority_.certificate(), .trust_origin = "the test's authority"};
  }

  std::int64_t now_s() const { return world_.clock().wall_ms() / 1000; }

  /// Both handshakes; what each says is in server_ or client_, or in the errors.
  void connect(const TlsOptions& server, const TlsOptions& client,
               const std::string& host = "shop.test") {
    const auto server_context = TlsContext::server(server);
    ASSERT_TRUE(server_context) << server_context.error().message();
    const auto client_context = TlsContext::client(client);
    ASSERT_TRUE(client_context) << client_context.error().message();
    listen(*server_context);
    dial(*client_context, host);
    run_until([&] { return client_done_ && server_done_; });
  }

  void listen(const std::shared_ptr<const TlsContext>& context) {
    listener_ = process_->network()
                    .listen({"127.0.0.1", 0},
                            [this, context](std::unique_ptr<Stream> stream) {
                              start_tls_server(loop(), std::move(stream), {.context = context},
                                               [this](auto done) { on_server(std::move(done)); });
                            })
                    .value();
  }

  void dial(const std::shared_ptr<const TlsContext>& context, const std::string& host) {
    process_->network().connect(listener_->local(), [this, context, host](auto stream) {
      ASSERT_TRUE(stream);
      start_tls_client(loop(), std::move(*stream), {.context = context, .host = host},
                       [this](auto done) { on_client(std::move(done)); });
    });
  }

  void on_server(Result<std::unique_ptr<TlsStream>> done) {
    server_done_ = true;
    if (!done) {
      server_error_ = done.error();
      return;
    }
    server_subject_ = (*done)->peer_subject();
    server_.take(std::move(*done));
  }
  void on_client(Result<std::unique_ptr<TlsStream>> done) {
    client_done_ = true;
    if (!done) {
      client_error_ = done.error();
      return;
    }
    version_ = (*done)->version();
    client_.take(std::move(*done));
  }

  bool run_until(const std::function<bool()>& done) { return world_.run_until(done, 1h); }
  Loop& loop() { return process_->loop(); }
  bool is_open() const { return client_.stream != nullptr && server_.stream != nullptr; }

  SimWorld world_;
  std::unique_ptr<SimProcess> process_ = world_.start_process();
  TestAuthority authority_{now_s()};
  TestCertificate server_certificate_ =
      authority_.sign({.hosts = {"shop.test", "*.shop.test"}, .addresses = {"127.0.0.1", "::1"}});
  std::unique_ptr<Listener> listener_;
  Sink server_;
  Sink client_;
  bool server_done_ = false;
  bool client_done_ = false;
  std::optional<Error> server_error_;
  std::optional<Error> client_error_;
  std::string server_subject_;
  std::string version_;
};

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 1;
  for (char& c : out) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24U);
  }
  return out;
}

TEST_F(tls, bytes_come_through_both_ways) {
  connect(server_options(), client_options());
  ASSERT_TRUE(is_open()) << (client_error_ ? client_error_->message() : "");
  EXPECT_EQ(version_, "TLSv1.3");
  EXPECT_EQ(server_subject_, "");
  client_.stream->write(Slice::copy_of("hello"));
  server_.stream->write(Slice::copy_of("welcome"));
  EXPECT_TRUE(run_until([&] { return server_.bytes == "hello" && client_.bytes == "welcome"; }));
  EXPECT_TRUE(run_until([&] { return client_.drained > 0 && server_.drained > 0; }));
}

TEST_F(tls, each_version_alone_works_and_none_in_common_is_told) {
  TlsOptions old = client_options();
  old.newest = TlsVersion::v1_2;
  connect(server_options(), old);
  ASSERT_TRUE(is_open());
  EXPECT_EQ(version_, "TLSv1.2");
  client_.stream->write(Slice::copy_of("hello"));
  EXPECT_TRUE(run_until([&] { return server_.bytes == "hello"; }));

  no_splits();
  TlsOptions only_new = server_options();
  only_new.oldest = TlsVersion::v1_3;
  server_done_ = client_done_ = false;
  connect(only_new, old);
  ASSERT_TRUE(client_error_ && server_error_);
  EXPECT_EQ(client_error_->code(), Errc::tls_handshake_failed);
  EXPECT_NE(client_error_->message().find("no version of TLS"), std::string::npos);
}

TEST_F(tls, large_transfers_come_whole_both_ways_at_once) {
  connect(server_options(), client_options());
  ASSERT_TRUE(is_open());
  const std::string up = pattern(7'000'003);
  const std::string down = pattern(5'000'011);
  // Pieces of every size: small ones are gathered, large ones are cut.
  std::size_t at = 0;
  for (std::size_t size = 1; at < up.size(); size = size * 3 % 70'001 + 1) {
    const std::size_t n = std::min(size, up.size() - at);
    client_.stream->write(Slice::copy_of(std::string_view(up).substr(at, n)));
    at += n;
  }
  server_.stream->write(Slice::copy_of(down));
  EXPECT_EQ(client_.stream->queued_bytes() >= up.size(), true);
  EXPECT_TRUE(run_until(
      [&] { return server_.bytes.size() >= up.size() && client_.bytes.size() >= down.size(); }));
  EXPECT_TRUE(server_.bytes == up);
  EXPECT_TRUE(client_.bytes == down);
  EXPECT_TRUE(run_until([&] { return client_.stream->queued_bytes() == 0; }));
}

TEST_F(tls, encrypted_bytes_that_wait_are_bounded) {
  connect(server_options(), client_options());
  ASSERT_TRUE(is_open());
  int drained_at = -1;
  client_.drained = 0;
  client_.stream->write(Slice::copy_of(pattern(3'000'000)));
  EXPECT_TRUE(run_until([&] {
    if (client_.drained > 0 && drained_at < 0) drained_at = static_cast<int>(server_.bytes.size());
    return server_.bytes.size() == 3'000'000;
  }));
  EXPECT_GE(drained_at, 2'600'000) << "told that all is sent while bytes waited";
}

TEST_F(tls, bytes_left_by_a_reader_are_offered_again) {
  connect(server_options(), client_options());
  ASSERT_TRUE(is_open());
  server_.one_read = true;
  server_.read_size = 100;
  client_.stream->write(Slice::copy_of(pattern(50'000)));
  EXPECT_TRUE(run_until([&] { return server_.bytes.size() == 50'000; }));
}

TEST_F(tls, a_reader_that_pauses_gets_everything_when_it_goes_on) {
  connect(server_options(), client_options());
  ASSERT_TRUE(is_open());
  server_.one_read = true;
  server_.read_size = 100;
  client_.stream->write(Slice::copy_of(pattern(50'000)));
  ASSERT_TRUE(run_until([&] { return !server_.bytes.empty(); }));
  server_.stream->set_reading(false);
  world_.run_for(1s);
  const std::size_t seen = server_.bytes.size();
  EXPECT_LT(seen, 50'000U);
  world_.run_for(10s);
  EXPECT_EQ(server_.bytes.size(), seen);
  server_.stream->set_reading(true);
  EXPECT_TRUE(run_until([&] { return server_.bytes.size() == 50'000; }));
}

TEST_F(tls, ranges_of_files_are_sent_by_the_loop_and_by_a_worker) {
  const auto file = process_->files().open("f", OpenMode::create_new).value();
  const std::string content = pattern(900'000);
  ASSERT_TRUE(file->write_at(0, content));
  const auto context = TlsContext::server(server_options()).value();
  const auto client_context = TlsContext::client(client_options()).value();
  const auto worker = process_->make_worker("read");
  for (Worker* reads : {static_cast<Worker*>(nullptr), worker.get()}) {
    server_done_ = client_done_ = false;
    client_.bytes.clear();
    listener_ = process_->network()
                    .listen({"127.0.0.1", 0},
                            [&](std::unique_ptr<Stream> stream) {
                              start_tls_server(loop(), std::move(stream),
                                               {.context = context, .file_reads = reads},
                                               [this](auto done) { on_server(std::move(done)); });
                            })
                    .value();
    dial(client_context, "shop.test");
    ASSERT_TRUE(run_until([&] { return client_done_ && server_done_; }));
    ASSERT_TRUE(is_open());
    server_.stream->write(Slice::copy_of("head"));
    server_.stream->write(FileRange{file, 100, 700'000});
    server_.stream->write(Slice::copy_of("tail"));
    EXPECT_EQ(server_.stream->queued_bytes(), 700'008U);
    ASSERT_TRUE(run_until([&] { return client_.bytes.size() == 700'008; }));
    EXPECT_TRUE(client_.bytes == "head" + content.substr(100, 700'000) + "tail");
    // A file that is shorter than it was said ends the connection.
    server_.stream->write(FileRange{file, 899'000, 2'000});
    EXPECT_TRUE(run_until([&] { return server_.closed.has_value(); }));
    server_.closed.reset();
    client_.closed.reset();
    server_.stream.reset();
    client_.stream.reset();
  }
}

TEST_F(tls, a_clean_end_is_told_apart_from_a_cut) {
  no_splits();
  connect(server_options(), client_options());
  ASSERT_TRUE(is_open());
  client_.stream->write(Slice::copy_of("last"));
  ASSERT_TRUE(run_until([&] { return server_.bytes == "last" && client_.drained > 0; }));
  client_.stream.reset();
  ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
  EXPECT_TRUE(is_orderly_end(*server_.closed)) << server_.closed->message();
  EXPECT_EQ(server_.bytes, "last");

  // Whoever ends the connection below TLS may be somebody who wants an answer to look whole.
  server_done_ = client_done_ = false;
  server_.closed.reset();
  listen(TlsContext::server(server_options()).value());
  Stream* below = nullptr;
  process_->network().connect(listener_->local(), [&](auto stream) {
    below = stream->get();
    start_tls_client(loop(), std::move(*stream),
                     {.context = TlsContext::client(client_options()).value(), .host = "shop.test"},
                     [this](auto done) { on_client(std::move(done)); });
  });
  ASSERT_TRUE(run_until([&] { return client_done_ && server_done_; }));
  below->close();
  ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
  EXPECT_EQ(server_.closed->code(), Errc::connection_closed);
  EXPECT_FALSE(is_orderly_end(*server_.closed)) << server_.closed->message();
}

TEST_F(tls, a_cut_connection_is_an_error_on_both_sides) {
  connect(server_options(), client_options());
  ASSERT_TRUE(is_open());
  world_.cut_all_connections();
  ASSERT_TRUE(run_until([&] { return server_.closed && client_.closed; }));
  EXPECT_EQ(server_.closed->code(), Errc::connection_closed);
}

TEST_F(tls, a_name_that_is_not_in_the_certificate_is_refused_and_those_that_are_told) {
  connect(server_options(), client_options(), "other.test");
  ASSERT_TRUE(client_error_);
  EXPECT_EQ(client_error_->code(), Errc::tls_handshake_failed);
  EXPECT_EQ(client_error_->message(),
            "the server's certificate is not for other.test: it is for shop.test, *.shop.test, "
            "127.0.0.1, ::1");
  ASSERT_TRUE(server_error_);
  EXPECT_EQ(server_error_->code(), Errc::tls_handshake_failed);
}

TEST_F(tls, names_wildcards_and_addresses_are_matched) {
  for (const std::string& host :
       std::vector<std::string>{"shop.test", "a.shop.test", "127.0.0.1", "::1"}) {
    client_done_ = server_done_ = false;
    connect(server_options(), client_options(), host);
    EXPECT_FALSE(client_error_) << host << ": " << client_error_->message();
  }
  for (const std::string& host :
       std::vector<std::string>{"a.b.shop.test", "127.0.0.2", "shop.test.evil.test", "localhost"}) {
    client_done_ = server_done_ = false;
    client_error_.reset();
    connect(server_options(), client_options(), host);
    EXPECT_TRUE(client_error_) << host;
  }
}

TEST_F(tls, the_name_is_not_looked_at_when_that_is_switched_off) {
  TlsOptions lax = client_options();
  lax.verify_host_name = false;
  connect(server_options(), lax, "other.test");
  EXPECT_TRUE(is_open());
}

TEST_F(tls, an_unknown_authority_is_refused_and_named) {
  const TestAuthority other(now_s(), "somebody else");
  TlsOptions options = client_options();
  options.trust = other.certificate();
  connect(server_options(), options);
  ASSERT_TRUE(client_error_);
  EXPECT_EQ(client_error_->message(),
            "the server's certificate CN=weir test is signed by CN=weir test authority, which is "
            "not trusted (ssl.truststore.location)");
  ASSERT_TRUE(server_error_);
  EXPECT_NE(server_error_->message().find("does not trust the authority"), std::string::npos);
  // The system's authorities do not know it either, whatever name is asked for.
  options.trust.clear();
  options.verify_host_name = false;
  client_done_ = server_done_ = false;
  client_error_.reset();
  connect(server_options(), options);
  EXPECT_TRUE(client_error_);
}

TEST_F(tls, certificates_are_held_against_the_loops_clock) {
  world_.shift_wall_clock(2 * 3600 * 1000);
  connect(server_options(), client_options());
  ASSERT_TRUE(client_error_);
  EXPECT_NE(
      client_error_->message().find("the server's certificate CN=weir test has expired at 20"),
      std::string::npos)
      << client_error_->message();
  world_.shift_wall_clock(-4LL * 3600 * 1000);
  client_done_ = server_done_ = false;
  connect(server_options(), client_options());
  EXPECT_NE(client_error_->message().find("is not valid before 20"), std::string::npos)
      << client_error_->message();
}

class mutual_tls : public tls, public ::testing::WithParamInterface<TlsVersion> {
 protected:
  TlsOptions strict_server() {
    no_splits();
    TlsOptions options = server_options();
    options.trust = authority_.certificate();
    options.trust_origin = "the test's authority";
    options.client_auth = ClientAuth::required;
    options.newest = GetParam();
    return options;
  }
  /// With TLS 1.3 the server judges after the client's handshake.
  const Error& what_the_client_hears() {
    run_until([&] { return client_error_ || client_.closed; });
    return client_error_ ? *client_error_ : client_.closed.value();
  }
};

TEST_P(mutual_tls, a_client_with_a_certificate_is_let_in_and_known) {
  TlsOptions client = client_options();
  client.identity = identity_of(authority_.sign({.name = "alice"}));
  connect(strict_server(), client);
  ASSERT_TRUE(is_open());
  EXPECT_EQ(server_subject_, "CN=alice");
}

TEST_P(mutual_tls, a_client_without_one_hears_that_it_needs_one) {
  connect(strict_server(), client_options());
  EXPECT_EQ(what_the_client_hears().code(), Errc::tls_handshake_failed);
  EXPECT_EQ(what_the_client_hears().message(),
            "the peer wants a client certificate; set ssl.keystore.location");
  ASSERT_TRUE(server_error_);
  EXPECT_EQ(server_error_->message(), "the peer has shown no certificate, and one is required");
}

TEST_P(mutual_tls, a_client_of_another_authority_is_refused) {
  const TestAuthority other(now_s(), "somebody else");
  TlsOptions client = client_options();
  client.identity = identity_of(other.sign({.name = "mallory"}));
  connect(strict_server(), client);
  EXPECT_EQ(what_the_client_hears().code(), Errc::tls_handshake_failed);
  EXPECT_EQ(what_the_client_hears().message(),
            "the peer does not trust the authority of our certificate");
  ASSERT_TRUE(server_error_);
  EXPECT_NE(server_error_->message().find("the client's certificate CN=mallory is signed by "
                                          "CN=somebody else, which is not trusted"),
            std::string::npos);
}

TEST_P(mutual_tls, a_certificate_that_is_only_requested_may_be_missing) {
  TlsOptions server = strict_server();
  server.client_auth = ClientAuth::requested;
  connect(server, client_options());
  EXPECT_TRUE(is_open());
}

INSTANTIATE_TEST_SUITE_P(versions, mutual_tls,
                         ::testing::Values(TlsVersion::v1_2, TlsVersion::v1_3));

/// A peer that speaks plain bytes.
class plain_peer : public tls {
 protected:
  Sink plain_;
};

TEST_F(plain_peer, a_server_that_speaks_no_tls_is_told_as_that) {
  for (const std::string& answer : {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
                                    std::string("\0\0\0\x0a\0\0\0\1\0\x23\0\0\0\0", 14),
                                    std::string("ssh-2.0 hello hello\n")}) {
    client_done_ = false;
    client_error_.reset();
    listener_ = process_->network()
                    .listen({"127.0.0.1", 0},
                            [&](std::unique_ptr<Stream> stream) {
                              plain_.take(std::move(stream));
                              plain_.stream->write(Slice::copy_of(answer));
                            })
                    .value();
    dial(TlsContext::client(client_options()).value(), "shop.test");
    ASSERT_TRUE(run_until([&] { return client_done_; }));
    ASSERT_TRUE(client_error_);
    EXPECT_EQ(client_error_->code(), Errc::tls_handshake_failed) << client_error_->message();
    EXPECT_NE(client_error_->message().find("does not speak TLS"), std::string::npos)
        << client_error_->message();
  }
}

TEST_F(plain_peer, a_server_that_hangs_up_at_the_hello_may_be_a_plain_text_port) {
  listener_ =
      process_->network().listen({"127.0.0.1", 0}, [&](const std::unique_ptr<Stream>&) {}).value();
  dial(TlsContext::client(client_options()).value(), "shop.test");
  ASSERT_TRUE(run_until([&] { return client_done_; }));
  EXPECT_EQ(client_error_->code(), Errc::connection_closed);
  EXPECT_NE(client_error_->message().find("before an answer: is this a plain-text port?"),
            std::string::npos)
      << client_error_->message();
}

TEST_F(plain_peer, one_that_never_answers_is_given_up_in_time) {
  listener_ = process_->network()
                  .listen({"127.0.0.1", 0}, [&](auto stream) { plain_.take(std::move(stream)); })
                  .value();
  const MonoTime begin = world_.clock().now();
  dial(TlsContext::client(client_options()).value(), "shop.test");
  ASSERT_TRUE(run_until([&] { return client_done_; }));
  EXPECT_EQ(client_error_->code(), Errc::timed_out);
  EXPECT_LT(world_.clock().now() - begin, 11s);
}

struct Refused final : FrameHandler {
  bool reserve(std::size_t) override { return true; }
  void on_frame(Slice) override {}
  void on_drained() override {}
  void on_closed(const Error& why) override { closed = why; }
  std::optional<Error> closed;
};

TEST_F(plain_peer, a_client_in_plain_text_hears_that_the_port_wants_tls) {
  no_splits();
  listen(TlsContext::server(server_options()).value());
  Refused heard;
  std::unique_ptr<FrameChannel> channel;
  process_->network().connect(listener_->local(), [&](auto stream) {
    channel = make_stream_channel(loop(), std::move(*stream), 1 << 20);
    channel->set_handler(&heard);
    std::vector<OutPiece> request;
    request.emplace_back(Slice::copy_of(std::string(40, '\0')));
    channel->send(std::move(request));
  });
  ASSERT_TRUE(run_until([&] { return heard.closed && server_done_; }));
  EXPECT_EQ(heard.closed->code(), Errc::tls_handshake_failed);
  EXPECT_NE(heard.closed->message().find("wants TLS"), std::string::npos);
  EXPECT_NE(server_error_->message().find("is not TLS"), std::string::npos)
      << server_error_->message();
}

TEST_F(tls, a_loop_that_ends_in_a_handshake_leaves_nothing_behind) {
  listen(TlsContext::server(server_options()).value());
  dial(TlsContext::client(client_options()).value(), "shop.test");
  for (int i = 0; i < 5; ++i) world_.step();
  listener_.reset();
  process_->kill();
}

/// Passes bytes between two streams and can stop at a byte.
class Wire final : public StreamHandler {
 public:
  Wire(std::unique_ptr<Stream> from, std::size_t& passed, std::size_t limit)
      : stream(std::move(from)), passed_(passed), limit_(limit) {}
  void on_readable() override {
    char part[4096];
    for (;;) {
      const auto n = stream->read_some(part, sizeof part);
      if (!n) return end();
      if (*n == 0) return;
      const std::size_t fits = std::min(*n, limit_ - std::min(limit_, passed_));
      passed_ += *n;
      if (other->stream != nullptr && fits > 0) other->stream->write(Slice::copy_of({part, fits}));
      if (fits < *n) return end();
    }
  }
  void on_drained() override {
    if (ending) cut();
  }
  void on_closed(const Error&) override { end(); }

  // What has passed still arrives, then the connection is cut.
  void end() {
    stream->set_reading(false);
    ending = other->ending = true;
    if (other->stream == nullptr || other->stream->queued_bytes() == 0) other->cut();
  }
  void cut() {
    if (stream != nullptr) stream->close();
    if (other->stream != nullptr) other->stream->close();
  }

  std::unique_ptr<Stream> stream;
  Wire* other = nullptr;
  bool ending = false;

 private:
  std::size_t& passed_;
  std::size_t limit_;
};

TEST_F(tls, a_handshake_that_is_cut_at_any_byte_ends_with_an_error_on_both_sides) {
  TlsOptions strict = server_options();
  strict.trust = authority_.certificate();
  strict.client_auth = ClientAuth::required;
  TlsOptions client = client_options();
  client.identity = identity_of(authority_.sign({.name = "alice"}));
  const auto server_context = TlsContext::server(strict).value();
  const auto client_context = TlsContext::client(client).value();
  std::size_t whole = 0;
  std::size_t cuts = 0;
  for (std::size_t limit = std::size_t{1} << 40U;
       whole == 0 || limit<whole; limit = limit> whole ? 0 : limit + 1) {
    server_done_ = client_done_ = false;
    server_error_.reset();
    client_error_.reset();
    server_.closed.reset();
    client_.closed.reset();
    std::size_t passed = 0;
    std::unique_ptr<Wire> up;
    std::unique_ptr<Wire> down;
    listen(server_context);
    const auto middle =
        process_->network()
            .listen({"127.0.0.1", 0},
                    [&](std::unique_ptr<Stream> stream) {
                      process_->network().connect(
                          listener_->local(), [&, held = std::make_shared<std::unique_ptr<Stream>>(
                                                      std::move(stream))](auto to) {
                            up = std::make_unique<Wire>(std::move(*held), passed, limit);
                            down = std::make_unique<Wire>(std::move(*to), passed, limit);
                            up->other = down.get();
                            down->other = up.get();
                            up->stream->set_handler(up.get());
                            down->stream->set_handler(down.get());
                          });
                    })
            .value();
    process_->network().connect(middle->local(), [&](auto stream) {
      start_tls_client(loop(), std::move(*stream), {.context = client_context, .host = "shop.test"},
                       [this](auto done) { on_client(std::move(done)); });
    });
    ASSERT_TRUE(run_until([&] { return client_done_ && server_done_; })) << limit;
    if (whole == 0) {
      ASSERT_TRUE(is_open());
      whole = passed;
    } else if (passed > limit) {  // signatures are not always of one length, nor are handshakes
      ++cuts;
      EXPECT_TRUE(server_error_) << "cut at " << limit << " of " << whole;
      // The last bytes of a TLS 1.3 handshake are the client's: it may be done before the cut.
      ASSERT_TRUE(run_until([&] { return client_error_ || client_.closed; })) << limit;
    }
    server_.stream.reset();
    client_.stream.reset();
    world_.run_for(1s);
  }
  EXPECT_GT(whole, 1'000U);
  EXPECT_GE(cuts + 16, whole);
}

TEST_F(tls, a_flipped_byte_is_found_wherever_it_is) {
  connect(server_options(), client_options());
  ASSERT_TRUE(is_open());
  // Bytes that no key has encrypted.
  for (const std::string& forged :
       {"\x17\x03\x03" + std::string(1, '\0') + "\x20" + std::string(32, 'x'),
        std::string("GET / HTTP/1.1\r\n"),
        std::string("\x17\x03\x03\xff\xff") + std::string(100, 'x')}) {
    server_done_ = client_done_ = false;
    server_.closed.reset();
    client_.stream.reset();
    server_.stream.reset();
    listen(TlsContext::server(server_options()).value());
    Stream* raw = nullptr;
    process_->network().connect(listener_->local(), [&](auto stream) {
      raw = stream->get();
      start_tls_client(
          loop(), std::move(*stream),
          {.context = TlsContext::client(client_options()).value(), .host = "shop.test"},
          [this](auto done) { on_client(std::move(done)); });
    });
    ASSERT_TRUE(run_until([&] { return client_done_ && server_done_; }));
    raw->write(Slice::copy_of(forged));
    ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
    EXPECT_EQ(server_.closed->code(), Errc::connection_closed) << server_.closed->message();
    EXPECT_EQ(server_.bytes, "");
  }
}

/// A client made of OpenSSL alone, which does what ours never would.
class RawClient final : public StreamHandler {
 public:
  RawClient(std::unique_ptr<Stream> stream, int version)
      : stream_(std::move(stream)), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_max_proto_version(context_.get(), version);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
    stream_->set_handler(this);
    go_on();
  }
  SSL* ssl() { return ssl_.get(); }
  void write(std::string_view text) {
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    send();
  }
  void go_on() {
    if (SSL_is_init_finished(ssl_.get()) == 0) {
      const int done = SSL_do_handshake(ssl_.get());
      if (done != 1 && SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ)
        failed = last_openssl_error();
    }
    char part[1000];
    int n = 0;
    while (failed.empty() && (n = SSL_read(ssl_.get(), part, sizeof part)) > 0)
      bytes.append(part, static_cast<std::size_t>(n));
    if (failed.empty() && SSL_get_error(ssl_.get(), n) == SSL_ERROR_SSL)
      failed = last_openssl_error();
    send();
  }
  void send() {
    char part[5000];
    int n = 0;
    while ((n = BIO_read(SSL_get_wbio(ssl_.get()), part, sizeof part)) > 0)
      stream_->write(Slice::copy_of({part, static_cast<std::size_t>(n)}));
  }
  void on_readable() override {
    char part[5000];
    for (auto n = stream_->read_some(part, sizeof part); n && *n > 0;
         n = stream_->read_some(part, sizeof part))
      BIO_write(SSL_get_rbio(ssl_.get()), part, static_cast<int>(*n));
    go_on();
  }
  void on_drained() override {}
  void on_closed(const Error&) override {}

  std::string bytes;
  std::string failed;

 private:
  std::unique_ptr<Stream> stream_;
  SslContextPtr context_;
  SslPtr ssl_;
};

TEST_F(tls, renegotiation_is_refused) {
  listen(TlsContext::server(server_options()).value());
  std::unique_ptr<RawClient> raw;
  process_->network().connect(listener_->local(), [&](auto stream) {
    raw = std::make_unique<RawClient>(std::move(*stream), TLS1_2_VERSION);
  });
  ASSERT_TRUE(run_until([&] { return server_done_ && SSL_is_init_finished(raw->ssl()) == 1; }));
  raw->write("before");
  ASSERT_TRUE(run_until([&] { return server_.bytes == "before"; }));
  ASSERT_EQ(SSL_renegotiate(raw->ssl()), 1);
  raw->go_on();
  ASSERT_TRUE(run_until([&] { return !raw->failed.empty(); }));
  EXPECT_NE(raw->failed.find("renegotiation"), std::string::npos) << raw->failed;
  EXPECT_EQ(server_.bytes, "before");
}

TEST_F(tls, keys_may_change_while_bytes_pass_both_ways) {
  listen(TlsContext::server(server_options()).value());
  std::unique_ptr<RawClient> raw;
  process_->network().connect(listener_->local(), [&](auto stream) {
    raw = std::make_unique<RawClient>(std::move(*stream), TLS1_3_VERSION);
  });
  ASSERT_TRUE(run_until([&] { return server_done_; }));
  std::string want;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(SSL_key_update(raw->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    raw->write("up");
    server_.stream->write(Slice::copy_of("up"));
    want += "up";
    ASSERT_TRUE(run_until([&] { return server_.bytes == want && raw->bytes == want; }))
        << raw->failed;
  }
}

TEST_F(tls, certificates_and_keys_are_read_in_each_form) {
  const TestCertificate& pair = server_certificate_;
  const std::string p12 = pkcs12_of(pair.certificate, pair.key, "hush");
  const auto with = [](std::string certificates, std::string key, std::string password) {
    TlsOptions options;
    options.identity = TlsIdentity{.certificates = std::move(certificates),
                                   .key = std::move(key),
                                   .password = std::move(password),
                                   .origin = "here"};
    return TlsContext::server(options);
  };
  EXPECT_TRUE(with(pair.certificate + pair.key, "", ""));
  EXPECT_TRUE(with(pair.key + pair.certificate, "", ""));
  EXPECT_TRUE(with(pair.certificate + authority_.certificate(), pair.key, ""));
  EXPECT_TRUE(with(pair.certificate, encrypted_key(pair.key, "hush"), "hush"));
  EXPECT_TRUE(with(p12, "", "hush"));
  const auto why = [](const auto& context) {
    return context ? "fine" : std::string(context.error().message());
  };
  EXPECT_EQ(why(with("", "", "")), "here: it is empty");
  EXPECT_EQ(why(with(pair.key, "", "")), "here: no certificate in it");
  EXPECT_EQ(why(with(pair.certificate, "", "")).find("here: no private key in PEM"), 0U);
  EXPECT_EQ(why(with(pair.certificate, encrypted_key(pair.key, "hush"), "")),
            "ssl.keystore.key: the private key is encrypted; set ssl.key.password");
  EXPECT_EQ(why(with(pair.certificate, encrypted_key(pair.key, "hush"), "wrong")),
            "ssl.keystore.key: the private key does not open with ssl.key.password");
  EXPECT_EQ(why(with(pair.certificate, authority_.sign({}).key, "")),
            "here: the private key is not that of the first certificate");
  EXPECT_EQ(why(with(p12, "", "wrong")).find("here: the PKCS#12 does not open"), 0U);
  EXPECT_EQ(why(with("\xfe\xed\xfe\xed rest", "", "")).find("here: a Java key store (JKS)"), 0U);
  EXPECT_EQ(why(with("rubbish", "", "")), "here: neither PEM nor PKCS#12");
  EXPECT_EQ(why(with("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n", "", ""))
                .find("here: a certificate cannot be read"),
            0U);
  TlsOptions trust;
  trust.trust = pkcs12_of(authority_.certificate(), "", "hush");
  trust.trust_password = "hush";
  trust.trust_origin = "there";
  EXPECT_TRUE(TlsContext::client(trust));
  connect(server_options(), trust);
  EXPECT_TRUE(is_open());
}

/// The machine's sockets: what a simulated network cannot show.
TEST(real_tls, large_transfers_over_the_machines_sockets) {
  const auto runtime = RealRuntime::create();
  const TestAuthority authority(runtime->loop().clock().wall_ms() / 1000);
  const auto server_context =
      TlsContext::server({.identity = identity_of(authority.sign({.addresses = {"127.0.0.1"}}))})
          .value();
  const auto client_context =
      TlsContext::client({.trust = authority.certificate(), .trust_origin = "test"}).value();
  Sink server;
  Sink client;
  const auto listener = runtime->network()
                            .listen({"127.0.0.1", 0},
                                    [&](std::unique_ptr<Stream> stream) {
                                      start_tls_server(runtime->loop(), std::move(stream),
                                                       {.context = server_context}, [&](auto done) {
                                                         ASSERT_TRUE(done);
                                                         server.take(std::move(*done));
                                                       });
                                    })
                            .value();
  const std::string up = pattern(20'000'003);
  const std::string down = pattern(10'000'001);
  runtime->network().connect(listener->local(), [&](auto stream) {
    start_tls_client(runtime->loop(), std::move(*stream),
                     {.context = client_context, .host = "127.0.0.1"}, [&](auto done) {
                       ASSERT_TRUE(done) << done.error().message();
                       client.take(std::move(*done));
                       client.stream->write(Slice::copy_of(up));
                     });
  });
  const MonoTime deadline = runtime->loop().now() + 60s;
  bool answered = false;
  std::function<void()> poll = [&] {
    if (!answered && server.stream != nullptr && server.bytes.size() == up.size()) {
      answered = true;
      server.stream->write(Slice::copy_of(down));
    }
    if (client.bytes.size() == down.size()) client.stream.reset();
    if (server.closed || runtime->loop().now() > deadline) return runtime->stop();
    runtime->loop().call_after(1ms, poll);
  };
  runtime->loop().post(poll);
  runtime->run();
  EXPECT_TRUE(server.bytes == up);
  EXPECT_TRUE(client.bytes == down);
  ASSERT_TRUE(server.closed);
  EXPECT_EQ(server.closed->message(), "closed by the peer");
}

TEST(run_command, gives_what_is_printed_or_why_not) {
  EXPECT_EQ(run_command("printf 'a b'; cat", 100, 20s).value(), "a b");
  EXPECT_EQ(run_command("exit 3", 100, 20s).error().message(), "a command ended with code 3");
  EXPECT_EQ(run_command("kill -9 $$", 100, 20s).error().message(),
            "a command was ended by signal 9");
  EXPECT_EQ(run_command("echo hush; head -c 200 /dev/zero", 100, 20s).error().code(),
            Errc::limit_exceeded);
  EXPECT_EQ(run_command("echo hush; sleep 100 & wait", 100, 50ms).error().code(), Errc::timed_out);
  EXPECT_EQ(run_command("exec >&-; sleep 100", 100, 50ms).error().code(), Errc::timed_out);
  // No descriptor of ours but its three is seen by it.
  EXPECT_EQ(run_command("ls /proc/$$/fd | tr '\\n' ' '", 100, 20s).value().substr(0, 5), "0 1 2");
}

}  // namespace
}  // namespace weir::io
