#include "cli/interrupt.h"

#include <csignal>

namespace weir::cli {
namespace {

// A signal handler can reach nothing but a global.
volatile std::sig_atomic_t interrupted = 0;

void note(int) { interrupted = 1; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags =
      static_cast<int>(SA_RESETHAND);  // and no SA_RESTART: a read that waits comes back
  sigaction(signal, &action, nullptr);
}

}  // namespace

Interrupts::Interrupts() {
  interrupted = 0;
  handle(SIGINT, note);
  handle(SIGTERM, note);
}

Interrupts::~Interrupts() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
}

bool Interrupts::seen() const { return interrupted != 0; }

}  // namespace weir::cli
