// ^C and SIGTERM as a question that a long command asks, so that it can end cleanly.
#pragma once

namespace weir::cli {

/// While it lives, the first SIGINT or SIGTERM is only noted; it ends a read that waits. The second
/// one ends the program. One at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  /// Whether one has come.
  bool seen() const;
};

}  // namespace weir::cli
