#include <gtest/gtest.h>
#include <weir/secret.h>

namespace weir {
namespace {

TEST(secrets, are_copied_moved_and_emptied) {
  std::string given = "hush, a longer secret than fits into a small string";
  const std::string want = given;
  Secret a(std::move(given));
  EXPECT_TRUE(given.empty());  // NOLINT(bugprone-use-after-move): it is wiped
  Secret b = a;
  EXPECT_EQ(b.reveal(), want);
  Secret c = std::move(a);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): what this test is about
  EXPECT_EQ(c.reveal(), want);
  c = "other";
  EXPECT_EQ(c.reveal(), "other");
  EXPECT_TRUE(Secret().empty());
}

}  // namespace
}  // namespace weir
