// What requests and answers have in common: characters, the lines of a head, where a body ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace weir::http {

/// Why bytes are refused. Status is what a server answers with; 413 and 431 are bounds. The text
/// may be shown to the other side: it holds nothing of ours.
struct Fault {
  int status = 400;
  std::string_view why;  // lives as long as the program
};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_token_char(char c);
bool is_token(std::string_view text);
/// Visible characters, blanks, tabs, and bytes above 127, which are opaque.
bool is_value(std::string_view text);
/// What RFC 3986 lets a path and a query consist of.
bool is_target(std::string_view text);
std::string_view trim(std::string_view text);
std::string lower(std::string_view text);

/// Collects lines that end in CR LF, and in nothing else, up to the empty one.
class HeadReader {
 public:
  enum class Step : std::uint8_t { more, whole, bad_line_end, too_long, no_first_line };

  Step take(char c, std::size_t limit);
  std::size_t size() const { return bytes_.size(); }
  bool in_first_line() const { return line_begin_ == 0; }
  /// Once it is whole: one line after another without its CR LF, the empty one last.
  std::string_view next_line();
  void clear() { *this = {}; }

 private:
  std::string bytes_;
  std::size_t line_begin_ = 0;  // of the line that is coming in
  std::size_t read_ = 0;        // by next_line
};

/// Adds a line of a head to `headers`, which may be `most`.
std::optional<Fault> read_header(std::string_view line, std::size_t most, Headers& headers);
/// True if a Connection header has this option.
bool has_connection_option(const Headers& headers, std::string_view option);

/// Where a body ends; neither: there is none, or for an answer, at the end of the connection.
struct Framing {
  bool chunked = false;
  std::optional<std::uint64_t> length;
};
/// Of the headers; what two readers could read differently is a fault.
std::optional<Fault> read_framing(const Headers& headers, int minor_version, Framing& out);

/// Reads one body out of bytes that come in pieces.
class BodyReader {
 public:
  enum class State : std::uint8_t { reading, whole, failed };

  /// A body of `limit` bytes at most; without a length and not chunked it has none.
  void start(const Framing& framing, std::size_t limit);
  /// A body that ends with the connection: see end().
  void start_to_the_end(std::size_t limit);
  /// Takes from the front of `bytes`, up to the body's end, and gives how many.
  std::size_t feed(std::string_view bytes, std::string& body);
  /// The connection has ended. What is to be read to its end is whole then.
  void end();
  State state() const { return state_; }
  const Fault& fault() const { return fault_; }

 private:
  enum class Kind : std::uint8_t { length, chunked, to_the_end };
  enum class Chunk : std::uint8_t { size, size_lf, data, data_cr, data_lf, end_cr, end_lf };

  void fail_with(int status, std::string_view why);
  std::size_t feed_chunked(std::string_view bytes, std::string& body);
  bool take_chunk_byte(char c, std::size_t body_bytes);
  bool take_size_digit(char c);
  void end_of_chunk_size(std::size_t body_bytes);

  State state_ = State::whole;
  Kind kind_ = Kind::length;
  Chunk chunk_ = Chunk::size;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
  std::size_t limit_ = 0;
  std::size_t digits_ = 0;  // of the chunk's size
  Fault fault_;
};

}  // namespace weir::http
