// A password, key or token: it is wiped from memory when it goes, and nothing prints it.
//
// Threads: values; any thread. Copies are wiped each by itself.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace weir {
inline namespace v1 {

class Secret {
 public:
  Secret() = default;
  /// The text is copied; a string that is given away is wiped.
  Secret(std::string_view text);  // NOLINT(google-explicit-constructor): {.password = "..."}
  Secret(std::string&& text);     // NOLINT(google-explicit-constructor)
  // NOLINTNEXTLINE(google-explicit-constructor)
  Secret(const std::string& text) : Secret(std::string_view(text)) {}
  Secret(const char* text)
      : Secret(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Secret(const Secret& other) : Secret(other.reveal()) {}
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret other) noexcept;
  ~Secret();

  bool empty() const { return size_ == 0; }
  /// What it hides, for whoever must send it; valid while this value lives.
  std::string_view reveal() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

/// Overwrites the bytes, which the compiler may not leave out, and empties the string.
void wipe(std::string& text);

}  // namespace v1
}  // namespace weir
