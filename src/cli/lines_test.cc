#include "cli/lines.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace weir::cli {
namespace {

/// Writes a temporary file and gives its path.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    const int descriptor = mkstemp(path_.data());
    std::FILE* file = fdopen(descriptor, "w");
    std::fwrite(content.data(), 1, content.size(), file);
    std::fclose(file);
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "weir_lines_XXXXXX";
};

TEST(lines, are_any_bytes_up_to_the_longest_length) {
  const TemporaryFile file(std::string_view("one\n\n\0\xff\r\nlast", 13));
  auto lines = Lines::open(file.path(), 8).value();
  for (const std::string_view wanted :
       {std::string_view("one"), std::string_view(""), std::string_view("\0\xff\r", 3),
        std::string_view("last")}) {
    const auto line = lines.next().value();
    ASSERT_TRUE(line);
    EXPECT_EQ(*line, wanted);
  }
  EXPECT_EQ(lines.number(), 4U);
  EXPECT_FALSE(lines.next().value());
  const TemporaryFile longer("12345678\n123456789\n");
  auto refused = Lines::open(longer.path(), 8).value();
  EXPECT_EQ(refused.next().value(), "12345678");
  EXPECT_EQ(refused.next().error().message(), longer.path() + ": line 2 is longer than 8 bytes");
  EXPECT_EQ(Lines::open("/no/such/file", 8).error().code(), Errc::not_found);
}

}  // namespace
}  // namespace weir::cli
