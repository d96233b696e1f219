// Where a command writes: data to standard output, messages to standard error, and what those are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::cli {

/// What is known about one of the two outputs.
struct Screen {
  bool is_terminal = false;
  bool colour = false;  // a terminal, and NO_COLOR is not set
  int columns = 80;     // width of a terminal
};

/// Real, or of a test. Belongs to the thread of its command.
class Console {
 public:
  virtual ~Console() = default;
  /// Writes data. False once the reader has gone (`weir ... | head`): the command should end.
  virtual bool out(std::string_view bytes) = 0;
  /// Lets what was written be seen at once. False as for out().
  virtual bool flush_out() { return true; }
  /// Writes a message.
  virtual void err(std::string_view text) = 0;
  /// Asks a person on standard error and reads a line of the answer. nullopt, without a word,
  /// unless both standard input and standard error are terminals: a script is never asked.
  virtual std::optional<std::string> ask(std::string_view question) = 0;
  virtual Screen out_screen() const = 0;
  virtual Screen err_screen() const = 0;
};

/// Standard output and error. Standard output is buffered unless it is a terminal; flush_out()
/// when it must be seen at once.
class StandardConsole : public Console {
 public:
  static std::unique_ptr<StandardConsole> create();
};

/// Keeps what is written, for tests.
class StringConsole : public Console {
 public:
  bool out(std::string_view bytes) override {
    text_out += bytes;
    return true;
  }
  void err(std::string_view text) override { text_err += text; }
  std::optional<std::string> ask(std::string_view question) override {
    if (answer) text_err += question;
    return answer;
  }
  Screen out_screen() const override { return screen; }
  Screen err_screen() const override { return screen; }

  std::string text_out;
  std::string text_err;
  std::optional<std::string>
      answer;  // what the person at the terminal types; nullopt: nobody is there
  Screen screen;
};

}  // namespace weir::cli
