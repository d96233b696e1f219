#include "http/parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"

namespace weir::http {
namespace {

constexpr std::size_t longest_method = 32;
constexpr std::size_t chunk_size_digits = 8;
constexpr std::size_t longest_host = 255;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_token_char(char c) {
  return is_digit(c) || is_letter(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
/// What RFC 3986 lets a path or a query consist of, but for '%'.
constexpr bool is_target_char(char c) {
  return is_digit(c) || is_letter(c) ||
         std::string_view("-._~!$&'()*+,;=:@/?").find(c) != std::string_view::npos;
}
/// Visible characters, blanks, tabs, and bytes above 127, which are opaque.
constexpr bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

bool valid_target(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
      i += 2;
    } else if (!is_target_char(text[i])) {
      return false;
    }
  }
  return true;
}

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

std::size_t RequestParser::feed(std::string_view bytes) {
  if (state_ == State::head) return feed_head(bytes);
  if (state_ != State::body) return 0;
  return chunked_ ? feed_chunked(bytes) : feed_body(bytes);
}

std::size_t RequestParser::feed_head(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    const bool after_cr = head_.ends_with('\r');
    if ((c == '\n') != after_cr) {
      fail_with(400, "every line must end in CR LF, and neither may stand alone");
      return i;
    }
    if (head_.size() >= limits_.head_bytes) {
      fail_with(431, "the request line and headers are too long");
      return i;
    }
    // Another protocol, TLS say, is told apart by its first byte and not waited for.
    if (head_.empty() && c != '\r' && !is_token_char(c)) {
      fail_with(400, "a request begins with a method");
      return i;
    }
    head_ += c;
    if (line_begin_ == 0 && head_.size() > limits_.target_bytes + longest_method + 16) {
      fail_with(414, "the request line is too long");
      return i;
    }
    if (c != '\n') continue;
    const bool empty_line = head_.size() - line_begin_ == 2;
    if (empty_line && line_begin_ == 0) {
      fail_with(400, "an empty line where a request should begin");
      return i;
    }
    line_begin_ = head_.size();
    if (!empty_line) continue;
    read_head();
    return i + 1;
  }
  return bytes.size();
}

void RequestParser::read_head() {
  std::string_view rest = head_;
  const auto next_line = [&] {
    const auto end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    return line;
  };
  if (!read_request_line(next_line())) return;
  for (std::string_view line = next_line(); !line.empty(); line = next_line())
    if (!read_header(line)) return;
  if (!read_host() || !read_framing() || !read_connection()) return;
  state_ = State::head_done;
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
  if (!request_.path.starts_with('/') || request_.method == "CONNECT" || !valid_target(target)) {
    fail_with(400, "the target must be a path, with every other character percent-encoded");
    return false;
  }
  return true;
}

bool RequestParser::read_header(std::string_view line) {
  if (request_.headers.size() >= limits_.headers) {
    fail_with(431, "too many headers");
    return false;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    fail_with(400, "a header must be NAME: VALUE, without white space before the colon");
    return false;
  }
  const std::string_view value = trim(line.substr(colon + 1));
  if (!std::ranges::all_of(value, is_value_char)) {
    fail_with(400, "a header has a control character");
    return false;
  }
  request_.headers.add(std::string(line.substr(0, colon)), std::string(value));
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

bool RequestParser::read_framing() {
  const std::string* length = request_.headers.find("content-length");
  const std::string* encoding = request_.headers.find("transfer-encoding");
  if (request_.headers.count("content-length") > 1 ||
      request_.headers.count("transfer-encoding") > 1) {
    fail_with(400, "Content-Length or Transfer-Encoding comes twice");
    return false;
  }
  if (length != nullptr && encoding != nullptr) {
    fail_with(400, "Content-Length and Transfer-Encoding together");
    return false;
  }
  if (encoding != nullptr) {
    if (request_.minor_version == 0) {
      fail_with(400, "Transfer-Encoding in HTTP/1.0");
      return false;
    }
    if (!equal_without_case(*encoding, "chunked")) {
      fail_with(501, "the only Transfer-Encoding is chunked");
      return false;
    }
    chunked_ = true;
  }
  if (length != nullptr) {
    const auto [end, error] =
        std::from_chars(length->data(), length->data() + length->size(), body_left_);
    if (length->empty() || !std::ranges::all_of(*length, is_digit) || error != std::errc{} ||
        end != length->data() + length->size()) {
      fail_with(400, "Content-Length is no number");
      return false;
    }
  }
  return true;
}

bool RequestParser::read_connection() {
  request_.keep_alive = request_.minor_version == 1;
  for (const Header& header : request_.headers) {
    if (equal_without_case(header.name, "connection")) {
      std::string_view rest = header.value;
      while (!rest.empty()) {
        const auto comma = rest.find(',');
        // One "close" decides, whatever else is said: HTTP/1.0 clients are not kept alive.
        if (equal_without_case(trim(rest.substr(0, comma)), "close")) request_.keep_alive = false;
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      }
    } else if (equal_without_case(header.name, "expect")) {
      if (!equal_without_case(header.value, "100-continue")) {
        fail_with(417, "the only expectation is 100-continue");
        return false;
      }
      expects_continue_ = request_.minor_version == 1 && has_body();
    }
  }
  return true;
}

void RequestParser::accept_body(std::size_t limit) {
  check(state_ == State::head_done, "a body follows a head");
  body_limit_ = limit;
  if (!has_body()) {
    state_ = State::done;
  } else if (!chunked_ && body_left_ > limit) {
    fail_with(413, "the body is too large");
  } else {
    state_ = State::body;
  }
}

std::size_t RequestParser::feed_body(std::string_view bytes) {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), body_left_));
  request_.body.append(bytes.data(), n);
  body_left_ -= n;
  if (body_left_ == 0) state_ = State::done;
  return n;
}

std::size_t RequestParser::feed_chunked(std::string_view bytes) {
  std::size_t i = 0;
  while (i < bytes.size() && state_ == State::body) {
    if (chunk_ == Chunk::data) {
      const auto n =
          static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size() - i, body_left_));
      request_.body.append(bytes.data() + i, n);
      body_left_ -= n;
      i += n;
      if (body_left_ == 0) chunk_ = Chunk::data_cr;
    } else if (take_chunk_byte(bytes[i])) {
      ++i;
    }
  }
  return i;
}

// One byte between the data of chunks. False: refused.
bool RequestParser::take_chunk_byte(char c) {
  const auto expect = [&](char wanted, Chunk next) {
    if (c == wanted) {
      chunk_ = next;
      return true;
    }
    fail_with(400, "a chunk is not framed by CR LF, or trailers follow the last");
    return false;
  };
  switch (chunk_) {
    case Chunk::size: {
      if (c == '\r' && chunk_digits_ > 0) {
        chunk_ = Chunk::size_lf;
        return true;
      }
      if (!is_hex(c) || ++chunk_digits_ > chunk_size_digits) {
        fail_with(400, "a chunk's size must be 1 to 8 hexadecimal digits and nothing else");
        return false;
      }
      const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
      body_left_ = body_left_ * 16 + static_cast<std::uint64_t>(digit);
      return true;
    }
    case Chunk::size_lf:
      if (!expect('\n', Chunk::data)) return false;
      end_of_chunk_size();
      return true;
    case Chunk::data_cr: return expect('\r', Chunk::data_lf);
    case Chunk::data_lf: chunk_digits_ = 0; return expect('\n', Chunk::size);
    case Chunk::end_cr: return expect('\r', Chunk::end_lf);
    case Chunk::end_lf:
      if (!expect('\n', Chunk::size)) return false;
      state_ = State::done;
      return true;
    case Chunk::data: break;
  }
  check(false, "the data of a chunk is taken elsewhere");
  return false;
}

void RequestParser::end_of_chunk_size() {
  if (body_left_ == 0) {
    chunk_ = Chunk::end_cr;
  } else if (body_left_ > body_limit_ - request_.body.size()) {
    fail_with(413, "the body is too large");
  }
}

Request RequestParser::take() {
  check(state_ == State::done, "a request is taken when it is whole");
  Request out = std::move(request_);
  *this = RequestParser(limits_);
  return out;
}

}  // namespace weir::http
