// The program `weir`: wiring only.
#include <csignal>
#include <string_view>
#include <vector>

#include "cli/program.h"

int main(int argc, char** argv) {
  // A reader that goes away ends the command through the result of a write.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto console = weir::cli::StandardConsole::create();
  const int code = weir::cli::run(weir::cli::command_table(), words, *console);
  console->flush_out();
  return code;
}
