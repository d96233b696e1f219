// Lines of a file or of standard input, of any bytes but with a longest length.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::cli {

/// Reads as far as the writer has written: a line is there as soon as its newline is. Belongs to
/// its command.
class Lines {
 public:
  /// `path` empty: standard input. A pipe is fine. Errc::not_found, permission_denied or io_error.
  static Result<Lines> open(const std::string& path, std::size_t longest);

  /// The next line without its newline, valid until the next call; nullopt at the end, or when a
  /// signal has ended the wait. The last line needs no newline. Errc::limit_exceeded, io_error.
  Result<std::optional<std::string_view>> next();
  /// Of the line that next() gave, from 1 on.
  std::uint64_t number() const { return number_; }
  bool is_terminal() const;
  const std::string& name() const { return name_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const;
  };
  Lines(std::string name, std::FILE* file, std::size_t longest)
      : name_(std::move(name)), file_(file), longest_(longest) {}

  std::string name_;
  std::unique_ptr<std::FILE, Close> file_;
  std::size_t longest_;
  std::string line_;
  std::uint64_t number_ = 0;
};

}  // namespace weir::cli
