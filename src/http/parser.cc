#include "http/parser.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace weir::http {
namespace {

constexpr std::size_t longest_method = 32;
constexpr std::size_t longest_host = 255;

}  // namespace

std::string host_of(std::string_view authority) {
  if (authority.empty() || authority.size() > longest_host) return {};
  std::string_view host = authority;
  std::string_view rest;
  if (authority.front() == '[') {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return {};
    host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
    const auto legal = [](char c) { return is_hex(c) || c == ':' || c == '.'; };
    if (host.find(':') == std::string_view::npos || !std::ranges::all_of(host, legal)) return {};
  } else {
    const auto colon = authority.find(':');
    if (colon != std::string_view::npos) rest = authority.substr(colon);
    host = authority.substr(0, colon);
    if (host.ends_with('.')) host.remove_suffix(1);
    const auto legal = [](char c) {
      return is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_';
    };
    const bool empty_label = host.empty() || host.front() == '.' || host.back() == '.' ||
                             host.find("..") != std::string_view::npos;
    if (empty_label || !std::ranges::all_of(host, legal)) return {};
  }
  if (!rest.empty()) {
    std::uint16_t port = 0;
    const char* begin = rest.data() + 1;
    const char* end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(begin, end, port);
    if (rest.front() != ':' || begin == end || error != std::errc{} || stop != end) return {};
  }
  return lower(host);
}

void RequestParser::fail_with(int status, std::string_view why) {
  state_ = State::failed;
  fault_ = {.status = status, .why = why};
}

bool RequestParser::fail_with(const std::optional<Fault>& fault) {
  if (fault) fail_with(fault->status, fault->why);
  return fault.has_value();
}

std::size_t RequestParser::feed(std::string_view bytes) {
  if (state_ == State::head) return feed_head(bytes);
  if (state_ != State::body) return 0;
  const std::size_t taken = body_.feed(bytes, request_.body);
  settle_body();
  return taken;
}

std::size_t RequestParser::feed_head(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    // Another protocol, TLS say, is told apart by its first byte and not waited for.
    if (head_.size() == 0 && c != '\r' && c != '\n' && !is_token_char(c)) {
      fail_with(400, "a request begins with a method");
      return i;
    }
    switch (head_.take(c, limits_.head_bytes)) {
      case HeadReader::Step::more:
        if (!head_.in_first_line() || head_.size() <= limits_.target_bytes + longest_method + 16)
          break;
        fail_with(414, "the request line is too long");
        return i;
      case HeadReader::Step::whole: read_head(); return i + 1;
      case HeadReader::Step::bad_line_end:
        fail_with(400, "every line must end in CR LF, and neither may stand alone");
        return i;
      case HeadReader::Step::too_long:
        fail_with(431, "the request line and headers are too long");
        return i;
      case HeadReader::Step::no_first_line:
        fail_with(400, "an empty line where a request should begin");
        return i;
    }
  }
  return bytes.size();
}

void RequestParser::read_head() {
  if (!read_request_line(head_.next_line())) return;
  for (auto line = head_.next_line(); !line.empty(); line = head_.next_line())
    if (fail_with(read_header(line, limits_.headers, request_.headers))) return;
  if (!read_host()) return;
  if (fail_with(read_framing(request_.headers, request_.minor_version, framing_))) return;
  if (read_connection()) state_ = State::head_done;
}

bool RequestParser::read_request_line(std::string_view line) {
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) {
    fail_with(400, "the first line must be METHOD TARGET HTTP/1.1");
    return false;
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(second + 1);
  if (!is_token(method) || method.size() > longest_method) {
    fail_with(400, "the method is no token");
    return false;
  }
  const bool shaped = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
                      version[6] == '.' && is_digit(version[7]);
  if (!shaped) {
    fail_with(400, "the first line must be METHOD TARGET HTTP/1.1");
    return false;
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    fail_with(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return false;
  }
  request_.method = method;
  request_.minor_version = version.back() - '0';
  return read_target(line.substr(first + 1, second - first - 1));
}

bool RequestParser::read_target(std::string_view target) {
  if (target.size() > limits_.target_bytes) {
    fail_with(414, "the target is too long");
    return false;
  }
  if (target == "*" && request_.method == "OPTIONS") {
    request_.path = "*";
    return true;
  }
  const std::size_t scheme = target.starts_with("http://")    ? 7
                             : target.starts_with("https://") ? 8
                                                              : 0;
  if (scheme > 0) {
    const std::string_view after = target.substr(scheme);
    const auto end = after.find_first_of("/?");
    authority_ = after.substr(0, end);
    target = end == std::string_view::npos ? std::string_view("/") : after.substr(end);
    if (authority_.empty()) {
      fail_with(400, "the target names no host");
      return false;
    }
  }
  const auto mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  // A path of an absolute target may be missing: "http://h?x" is "http://h/?x".
  request_.path = path.empty() && scheme > 0 ? "/" : path;
  if (mark != std::string_view::npos) request_.query = target.substr(mark + 1);
  if (!request_.path.starts_with('/') || request_.method == "CONNECT" || !is_target(target)) {
    fail_with(400, "the target must be a path, with every other character percent-encoded");
    return false;
  }
  return true;
}

bool RequestParser::read_host() {
  const std::string* host = request_.headers.find("host");
  if (host == nullptr || request_.headers.count("host") > 1) {
    fail_with(400, "there must be exactly one Host");
    return false;
  }
  request_.host = host_of(*host);
  if (request_.host.empty()) {
    fail_with(400, "Host is no host");
    return false;
  }
  if (!authority_.empty() && !equal_without_case(authority_, *host)) {
    fail_with(400, "the target and Host differ");
    return false;
  }
  return true;
}

bool RequestParser::read_connection() {
  // One "close" decides, whatever else is said: HTTP/1.0 clients are not kept alive.
  request_.keep_alive =
      request_.minor_version == 1 && !has_connection_option(request_.headers, "close");
  for (const Header& header : request_.headers) {
    if (!equal_without_case(header.name, "expect")) continue;
    if (!equal_without_case(header.value, "100-continue")) {
      fail_with(417, "the only expectation is 100-continue");
      return false;
    }
    expects_continue_ = request_.minor_version == 1 && has_body();
  }
  return true;
}

void RequestParser::accept_body(std::size_t limit) {
  check(state_ == State::head_done, "a body follows a head");
  state_ = State::body;
  body_.start(framing_, limit);
  settle_body();
}

void RequestParser::settle_body() {
  if (body_.state() == BodyReader::State::whole) state_ = State::done;
  if (body_.state() == BodyReader::State::failed) fail_with(body_.fault());
}

Request RequestParser::take() {
  check(state_ == State::done, "a request is taken when it is whole");
  Request out = std::move(request_);
  *this = RequestParser(limits_);
  return out;
}

}  // namespace weir::http
