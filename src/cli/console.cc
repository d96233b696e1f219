#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace weir::cli {
namespace {

Screen screen_of(std::FILE* stream) {
  Screen screen;
  screen.is_terminal = isatty(fileno(stream)) == 1;
  if (!screen.is_terminal) return screen;
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  screen.colour = (no_color == nullptr || *no_color == '\0') &&
                  (terminal == nullptr || std::string_view(terminal) != "dumb");
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    screen.columns = size.ws_col;
  return screen;
}

class RealConsole final : public StandardConsole {
 public:
  bool out(std::string_view bytes) override {
    if (!gone_ && std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) gone_ = true;
    if (out_.is_terminal) flush_out();
    return !gone_;
  }
  void err(std::string_view text) override {
    flush_out();  // so that the two come in their order where both are one terminal
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
  std::optional<std::string> ask(std::string_view question) override {
    if (!err_.is_terminal || isatty(fileno(stdin)) != 1) return std::nullopt;
    err(question);
    std::string line;
    for (int c = std::getc(stdin); c != EOF && c != '\n'; c = std::getc(stdin))
      line += static_cast<char>(c);
    return line;
  }
  bool flush_out() override {
    if (!gone_ && std::fflush(stdout) != 0) gone_ = true;
    return !gone_;
  }
  Screen out_screen() const override { return out_; }
  Screen err_screen() const override { return err_; }

 private:
  Screen out_ = screen_of(stdout);
  Screen err_ = screen_of(stderr);
  bool gone_ = false;
};

}  // namespace

std::unique_ptr<StandardConsole> StandardConsole::create() {
  return std::make_unique<RealConsole>();
}

}  // namespace weir::cli
