#include "http/response_parser.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace weir::http {
namespace {

using State = ResponseParser::State;

struct Read {
  State state = State::head;
  std::string why;
  Errc code = Errc::none;
  Response response;
  std::size_t taken = 0;
};

/// Feeds `bytes`, cut by `rng` if there is one, and ends the connection behind them if `ends`.
struct How {
  bool to_head = false;
  bool ends = false;
  ResponseLimits limits{};
};
Read read(std::string_view bytes, const How& how = {}, Rng* rng = nullptr) {
  ResponseParser parser(how.limits, how.to_head);
  Read out;
  while (!bytes.empty() && parser.state() != State::failed && parser.state() != State::done) {
    std::size_t piece = bytes.size();
    if (rng != nullptr)
      piece = static_cast<std::size_t>(
          rng->between(1, static_cast<std::int64_t>(std::min<std::size_t>(bytes.size(), 9))));
    const std::size_t taken = parser.feed(bytes.substr(0, piece));
    out.taken += taken;
    bytes.remove_prefix(taken);
  }
  if (how.ends) parser.end();
  out.state = parser.state();
  if (out.state == State::failed) {
    out.why = parser.error().message();
    out.code = parser.error().code();
  }
  if (out.state == State::done) out.response = parser.take();
  return out;
}

Response whole(const Read& read) {
  EXPECT_EQ(read.state, State::done) << read.why;
  return read.response;
}

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\n";

std::string answer(std::string_view rest) { return std::string(ok) + std::string(rest); }

TEST(Answer, status_headers_and_a_body_of_a_length_are_read) {
  const Response response = whole(
      read("HTTP/1.1 409 Oh \xc3\xa9, no\r\nContent-Type: text/plain \r\nX-A:\t1\r\nx-a: 2\r\n"
           "Content-Length: 5\r\n\r\nhello"));
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.content_type, "text/plain");
  EXPECT_EQ(response.body, "hello");
  EXPECT_FALSE(response.close);
  ASSERT_EQ(response.headers.size(), 3U);
  EXPECT_EQ(response.headers[0].name, "X-A");
  EXPECT_EQ(response.headers[0].value, "1");
  EXPECT_EQ(response.headers[1].value, "2");
  EXPECT_EQ(response.headers[2].name, "Content-Length");
}

TEST(Answer, a_reason_may_be_empty_and_a_body_too) {
  EXPECT_EQ(whole(read("HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n")).status, 503);
}

TEST(Answer, chunks_are_put_together) {
  EXPECT_EQ(whole(read(answer("Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0001\r\n!\r\n0\r\n"
                              "\r\n")))
                .body,
            "hello!");
}

TEST(Answer, without_a_length_it_ends_with_the_connection) {
  const std::string bytes = answer("\r\nsome text");
  EXPECT_EQ(read(bytes).state, State::body);
  const Response response = whole(read(bytes, {.ends = true}));
  EXPECT_EQ(response.body, "some text");
  EXPECT_TRUE(response.close);
}

TEST(Answer, head_204_and_304_have_no_body_whatever_they_say) {
  for (const std::string_view framing :
       {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    SCOPED_TRACE(framing);
    const std::string rest = std::string(framing) + "\r\n";
    EXPECT_EQ(whole(read(answer(rest), {.to_head = true})).body, "");
    for (const std::string_view status : {"204", "304"}) {
      const std::string head = "HTTP/1.1 " + std::string(status) + " x\r\n" + rest;
      const Read got = read(head + "hello");
      EXPECT_EQ(whole(got).body, "");
      EXPECT_EQ(got.taken, head.size());
    }
  }
}

TEST(Answer, answers_of_1xx_are_passed_over) {
  const std::string early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  const Response response = whole(
      read("HTTP/1.1 100 Continue\r\n\r\n" + early + answer("X: y\r\nContent-Length: 1\r\n\r\nz")));
  EXPECT_EQ(response.status, 200);
  ASSERT_EQ(response.headers.size(), 2U);
  EXPECT_EQ(response.headers[0].name, "X");
  std::string many;
  for (int i = 0; i < 9; ++i) many += early;
  EXPECT_EQ(read(many).code, Errc::limit_exceeded);
}

TEST(Answer, close_and_http_1_0_end_the_connection) {
  EXPECT_TRUE(whole(read(answer("Connection: x, Close\r\nContent-Length: 0\r\n\r\n"))).close);
  EXPECT_TRUE(whole(read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")).close);
  EXPECT_FALSE(whole(read(answer("Connection: keep-alive\r\nContent-Length: 0\r\n\r\n"))).close);
}

TEST(Answer, what_follows_it_is_left) {
  const std::string one = answer("Content-Length: 1\r\n\r\nx");
  EXPECT_EQ(read(one + "HTTP/1.1").taken, one.size());
}

TEST(Answer, it_is_waited_for_to_its_last_byte) {
  for (const std::string& bytes :
       {answer("A: b\r\nContent-Length: 3\r\n\r\nabc"),
        answer("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Read part = read(std::string_view(bytes).substr(0, size));
      EXPECT_NE(part.state, State::done);
      EXPECT_NE(part.state, State::failed) << part.why;
      EXPECT_EQ(read(std::string_view(bytes).substr(0, size), {.ends = true}).code,
                Errc::protocol_error)
          << size;
    }
  }
}

const std::string_view refused[] = {
    // Lines.
    "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
    "HTTP/1.1 200 OK\rA: b\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    // The first line.
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    "SSH-2.0-OpenSSH\r\n",
    "\x15\x03\x01",
    "<html>",
    // Headers.
    "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
    // Where it ends.
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 204 None\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000000005\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
};

TEST(Answer, what_two_readers_could_read_differently_is_refused) {
  for (const std::string_view bytes : refused) {
    SCOPED_TRACE(bytes);
    const Read got = read(bytes);
    EXPECT_EQ(got.state, State::failed);
    EXPECT_EQ(got.code, Errc::protocol_error) << got.why;
  }
}

TEST(Answer, bounds_are_kept) {
  EXPECT_EQ(read(answer("A: " + std::string(70'000, 'x'))).code, Errc::limit_exceeded);
  std::string many;
  for (int i = 0; i < 201; ++i) many += "A: x\r\n";
  EXPECT_EQ(read(answer(many + "\r\n")).code, Errc::limit_exceeded);
  How small;
  small.limits.body_bytes = 10;
  for (const std::string_view body :
       {"Content-Length: 11\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nb\r\n",
        "Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n", "\r\n0123456789x"})
    EXPECT_EQ(read(answer(body), small).code, Errc::limit_exceeded) << body;
  EXPECT_EQ(whole(read(answer("Content-Length: 10\r\n\r\n0123456789"), small)).body.size(), 10U);
  small.ends = true;
  EXPECT_EQ(whole(read(answer("\r\n0123456789"), small)).body.size(), 10U);
}

TEST(Answer, it_does_not_matter_how_the_bytes_are_cut) {
  std::vector<std::string> texts(std::begin(refused), std::end(refused));
  texts.push_back(answer("\r\nto the end"));
  texts.push_back(answer("Content-Length: 3\r\n\r\nabcd"));
  texts.push_back("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 100 x\r\n\r\n" +
                  answer("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n"
                         "\r\nmore"));
  for (const std::string& text : texts) {
    SCOPED_TRACE(text);
    for (const bool ends : {false, true}) {
      const Read at_once = read(text, {.ends = ends});
      for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Rng rng(seed);
        const Read cut = read(text, {.ends = ends}, &rng);
        EXPECT_EQ(cut.state, at_once.state);
        EXPECT_EQ(cut.why, at_once.why);
        EXPECT_EQ(cut.taken, at_once.taken);
        EXPECT_EQ(cut.response.body, at_once.response.body);
      }
    }
  }
}

}  // namespace
}  // namespace weir::http
