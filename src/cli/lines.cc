#include "cli/lines.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::cli {
namespace {

/// A long line's memory is given back after it.
constexpr std::size_t kept_capacity = 1024U * 1024;

tl::unexpected<Error> failed(const std::string& name, int error) {
  const Errc code = error == ENOENT                     ? Errc::not_found
                    : error == EACCES || error == EPERM ? Errc::permission_denied
                                                        : Errc::io_error;
  return fail(code, fmt::format("{}: {}", name, std::strerror(error)));
}

}  // namespace

void Lines::Close::operator()(std::FILE* file) const {
  if (file != stdin) std::fclose(file);
}

Result<Lines> Lines::open(const std::string& path, std::size_t longest) {
  if (path.empty()) return Lines("standard input", stdin, longest);
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return failed(path, errno);
  return Lines(path, file, longest);
}

bool Lines::is_terminal() const { return isatty(fileno(file_.get())) == 1; }

Result<std::optional<std::string_view>> Lines::next() {
  if (line_.capacity() > kept_capacity) line_ = std::string();
  line_.clear();
  errno = 0;
  int c = getc_unlocked(file_.get());
  for (; c != EOF && c != '\n'; c = getc_unlocked(file_.get())) {
    if (line_.size() == longest_)
      return fail(Errc::limit_exceeded,
                  fmt::format("{}: line {} is longer than {} bytes", name_, number_ + 1, longest_));
    line_ += static_cast<char>(c);
  }
  if (c == EOF && std::ferror(file_.get()) != 0) {
    if (errno == EINTR) return std::optional<std::string_view>();
    return failed(name_, errno);
  }
  if (c == EOF && line_.empty()) return std::optional<std::string_view>();
  ++number_;
  return std::optional<std::string_view>(line_);
}

}  // namespace weir::cli
