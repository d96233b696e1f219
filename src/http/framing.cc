#include "http/framing.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace weir::http {
namespace {

constexpr std::size_t chunk_size_digits = 8;
constexpr std::string_view too_large = "the body is too large";

constexpr bool is_target_char(char c) {
  return is_digit(c) || is_letter(c) ||
         std::string_view("-._~!$&'()*+,;=:@/?").find(c) != std::string_view::npos;
}
constexpr bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

}  // namespace

bool is_token_char(char c) {
  return is_digit(c) || is_letter(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool is_value(std::string_view text) { return std::ranges::all_of(text, is_value_char); }

bool is_target(std::string_view text) {
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

HeadReader::Step HeadReader::take(char c, std::size_t limit) {
  if ((c == '\n') != bytes_.ends_with('\r')) return Step::bad_line_end;
  if (bytes_.size() >= limit) return Step::too_long;
  bytes_ += c;
  if (c != '\n') return Step::more;
  const bool empty_line = bytes_.size() - line_begin_ == 2;
  if (empty_line && line_begin_ == 0) return Step::no_first_line;
  line_begin_ = bytes_.size();
  return empty_line ? Step::whole : Step::more;
}

std::string_view HeadReader::next_line() {
  const auto end = bytes_.find("\r\n", read_);
  check(end != std::string::npos, "the lines of a head are asked for when it is whole");
  const auto line = std::string_view(bytes_).substr(read_, end - read_);
  read_ = end + 2;
  return line;
}

std::optional<Fault> read_header(std::string_view line, std::size_t most, Headers& headers) {
  if (headers.size() >= most) return Fault{431, "too many headers"};
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return Fault{400, "a header must be NAME: VALUE, without white space before the colon"};
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_value(value)) return Fault{400, "a header has a control character"};
  headers.add(std::string(line.substr(0, colon)), std::string(value));
  return std::nullopt;
}

bool has_connection_option(const Headers& headers, std::string_view option) {
  for (const Header& header : headers) {
    if (!equal_without_case(header.name, "connection")) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (equal_without_case(trim(rest.substr(0, comma)), option)) return true;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return false;
}

std::optional<Fault> read_framing(const Headers& headers, int minor_version, Framing& out) {
  const std::string* length = headers.find("content-length");
  const std::string* encoding = headers.find("transfer-encoding");
  if (headers.count("content-length") > 1 || headers.count("transfer-encoding") > 1)
    return Fault{400, "Content-Length or Transfer-Encoding comes twice"};
  if (length != nullptr && encoding != nullptr)
    return Fault{400, "Content-Length and Transfer-Encoding together"};
  if (encoding != nullptr) {
    if (minor_version == 0) return Fault{400, "Transfer-Encoding in HTTP/1.0"};
    if (!equal_without_case(*encoding, "chunked"))
      return Fault{501, "the only Transfer-Encoding is chunked"};
    out.chunked = true;
  }
  if (length != nullptr) {
    std::uint64_t bytes = 0;
    const char* end = length->data() + length->size();
    const auto [stop, error] = std::from_chars(length->data(), end, bytes);
    if (length->empty() || !std::ranges::all_of(*length, is_digit) || error != std::errc{} ||
        stop != end)
      return Fault{400, "Content-Length is no number"};
    out.length = bytes;
  }
  return std::nullopt;
}

void BodyReader::fail_with(int status, std::string_view why) {
  state_ = State::failed;
  fault_ = {.status = status, .why = why};
}

void BodyReader::start(const Framing& framing, std::size_t limit) {
  *this = {};
  limit_ = limit;
  kind_ = framing.chunked ? Kind::chunked : Kind::length;
  left_ = framing.length.value_or(0);
  state_ = framing.chunked || left_ > 0 ? State::reading : State::whole;
  if (left_ > limit) fail_with(413, too_large);
}

void BodyReader::start_to_the_end(std::size_t limit) {
  *this = {};
  limit_ = limit;
  kind_ = Kind::to_the_end;
  state_ = State::reading;
}

std::size_t BodyReader::feed(std::string_view bytes, std::string& body) {
  if (state_ != State::reading) return 0;
  if (kind_ == Kind::chunked) return feed_chunked(bytes, body);
  const std::uint64_t room = kind_ == Kind::length ? left_ : limit_ - body.size();
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room));
  body.append(bytes.data(), n);
  if (kind_ == Kind::to_the_end) {
    if (n < bytes.size()) fail_with(413, too_large);
  } else {
    left_ -= n;
    if (left_ == 0) state_ = State::whole;
  }
  return n;
}

void BodyReader::end() {
  if (state_ != State::reading) return;
  if (kind_ == Kind::to_the_end)
    state_ = State::whole;
  else
    fail_with(400, "it ends before its body does");
}

std::size_t BodyReader::feed_chunked(std::string_view bytes, std::string& body) {
  std::size_t i = 0;
  while (i < bytes.size() && state_ == State::reading) {
    if (chunk_ == Chunk::data) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size() - i, left_));
      body.append(bytes.data() + i, n);
      left_ -= n;
      i += n;
      if (left_ == 0) chunk_ = Chunk::data_cr;
    } else if (take_chunk_byte(bytes[i], body.size())) {
      ++i;
    }
  }
  return i;
}

bool BodyReader::take_size_digit(char c) {
  if (!is_hex(c) || ++digits_ > chunk_size_digits) {
    fail_with(400, "a chunk's size must be 1 to 8 hexadecimal digits and nothing else");
    return false;
  }
  const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
  left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
  return true;
}

// One byte between the data of chunks. False: refused.
bool BodyReader::take_chunk_byte(char c, std::size_t body_bytes) {
  const auto expect = [&](char wanted, Chunk next) {
    if (c == wanted) {
      chunk_ = next;
      return true;
    }
    fail_with(400, "a chunk is not framed by CR LF, or trailers follow the last");
    return false;
  };
  switch (chunk_) {
    case Chunk::size:
      if (c == '\r' && digits_ > 0) {
        chunk_ = Chunk::size_lf;
        return true;
      }
      return take_size_digit(c);
    case Chunk::size_lf:
      if (!expect('\n', Chunk::data)) return false;
      end_of_chunk_size(body_bytes);
      return true;
    case Chunk::data_cr: return expect('\r', Chunk::data_lf);
    case Chunk::data_lf: digits_ = 0; return expect('\n', Chunk::size);
    case Chunk::end_cr: return expect('\r', Chunk::end_lf);
    case Chunk::end_lf:
      if (!expect('\n', Chunk::size)) return false;
      state_ = State::whole;
      return true;
    case Chunk::data: break;
  }
  check(false, "the data of a chunk is taken elsewhere");
  return false;
}

void BodyReader::end_of_chunk_size(std::size_t body_bytes) {
  if (left_ == 0)
    chunk_ = Chunk::end_cr;
  else if (left_ > limit_ - body_bytes)
    fail_with(413, too_large);
}

}  // namespace weir::http
