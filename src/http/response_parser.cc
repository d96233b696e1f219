#include "http/response_parser.h"

#include <string>

namespace weir::http {
namespace {

constexpr char tls_alert = 0x15;  // what a TLS server says to a request in plain text

}  // namespace

bool ResponseParser::fail_with(int status, std::string_view why) {
  state_ = State::failed;
  fault_ = {.status = status, .why = why};
  return false;
}

bool ResponseParser::fail_with(const std::optional<Fault>& fault) {
  if (fault) fail_with(fault->status, fault->why);
  return fault.has_value();
}

Error ResponseParser::error() const {
  const bool too_much = fault_.status == 413 || fault_.status == 431;
  return {too_much ? Errc::limit_exceeded : Errc::protocol_error,
          "the answer is refused: " + std::string(fault_.why)};
}

std::size_t ResponseParser::feed(std::string_view bytes) {
  std::size_t taken = 0;
  // More than once for answers of 1xx, and for the body behind a head.
  while (taken < bytes.size() && state_ == State::head) taken += feed_head(bytes.substr(taken));
  if (state_ == State::body) {
    taken += body_.feed(bytes.substr(taken), response_.body);
    settle_body();
  }
  return taken;
}

void ResponseParser::end() {
  if (state_ == State::head) fail_with(400, "it ends before its head does");
  if (state_ != State::body) return;
  body_.end();
  settle_body();
}

std::size_t ResponseParser::feed_head(std::string_view bytes) {
  constexpr std::string_view beginning = "HTTP/";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    // Another protocol is told apart by its first bytes and not waited for.
    if (head_.size() == 0 && c == tls_alert) {
      fail_with(400, "the port speaks TLS; want https://");
      return i;
    }
    if (head_.size() < beginning.size() && c != beginning[head_.size()] && c != '\r' && c != '\n') {
      fail_with(400, "it is no answer of HTTP/1.1");
      return i;
    }
    switch (head_.take(c, limits_.head_bytes)) {
      case HeadReader::Step::more: break;
      case HeadReader::Step::whole: read_head(); return i + 1;
      case HeadReader::Step::bad_line_end:
        fail_with(400, "every line must end in CR LF, and neither may stand alone");
        return i;
      case HeadReader::Step::too_long:
        fail_with(431, "the status line and headers are too long");
        return i;
      case HeadReader::Step::no_first_line:
        fail_with(400, "an empty line where an answer should begin");
        return i;
    }
  }
  return bytes.size();
}

bool ResponseParser::read_status_line(std::string_view line) {
  const bool shaped = line.size() >= 13 && line.starts_with("HTTP/") && is_digit(line[5]) &&
                      line[6] == '.' && is_digit(line[7]) && line[8] == ' ' && is_digit(line[9]) &&
                      is_digit(line[10]) && is_digit(line[11]) && line[12] == ' ';
  if (!shaped || !is_value(line.substr(13)))
    return fail_with(400, "the first line must be HTTP/1.1 STATUS REASON");
  if (line.substr(5, 3) != "1.1" && line.substr(5, 3) != "1.0")
    return fail_with(400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  minor_version_ = line[7] - '0';
  response_.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (response_.status < 100 || response_.status > 599)
    return fail_with(400, "the status is none from 100 to 599");
  return true;
}

void ResponseParser::read_head() {
  if (!read_status_line(head_.next_line())) return;
  for (auto line = head_.next_line(); !line.empty(); line = head_.next_line())
    if (fail_with(read_header(line, limits_.headers, headers_))) return;
  head_.clear();
  if (response_.status >= 200) return begin_body();
  if (response_.status == 101) {
    fail_with(400, "it changes to another protocol, unasked");
  } else if (headers_.count("content-length") + headers_.count("transfer-encoding") > 0) {
    fail_with(400, "an answer of 1xx says where a body ends, and has none");
  } else if (++interim_ > limits_.interim) {
    fail_with(431, "too many answers of 1xx");
  }
  headers_ = {};
}

void ResponseParser::begin_body() {
  Framing framing;
  if (fail_with(read_framing(headers_, minor_version_, framing))) return;
  response_.close = minor_version_ == 0 || has_connection_option(headers_, "close");
  const bool none = to_head_ || response_.status == 204 || response_.status == 304;
  if (none) {
    body_.start({}, 0);
  } else if (framing.chunked || framing.length) {
    body_.start(framing, limits_.body_bytes);
  } else {
    response_.close = true;
    body_.start_to_the_end(limits_.body_bytes);
  }
  for (const Header& header : headers_) {
    if (equal_without_case(header.name, "content-type") && response_.content_type.empty())
      response_.content_type = header.value;
    else
      response_.headers.push_back(header);
  }
  headers_ = {};
  state_ = State::body;
  settle_body();
}

void ResponseParser::settle_body() {
  if (body_.state() == BodyReader::State::whole) state_ = State::done;
  if (body_.state() == BodyReader::State::failed) fail_with(body_.fault());
}

}  // namespace weir::http
