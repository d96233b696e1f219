#include "cli/schemas.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(Schemas, references_have_a_name_a_subject_and_perhaps_a_version) {
  EXPECT_EQ(parse_reference("shop.Line=lines-value:3").value(),
            (SchemaReference{"shop.Line", "lines-value", 3}));
  EXPECT_EQ(parse_reference("shop.Line=lines-value").value(),
            (SchemaReference{"shop.Line", "lines-value", -1}));
  EXPECT_EQ(parse_reference("shop.Line=:.lab:lines-value").value(),
            (SchemaReference{"shop.Line", ":.lab:lines-value", -1}));
  EXPECT_EQ(parse_reference("shop.Line=:.lab:lines-value:7").value(),
            (SchemaReference{"shop.Line", ":.lab:lines-value", 7}));
  for (const char* wrong : {"", "x", "=x", "a=", "a=:3", "a=x:0", "a=x:-4"})
    EXPECT_EQ(parse_reference(wrong).error().code(), Errc::usage) << wrong;
}

TEST(Schemas, versions_are_numbers_or_the_latest) {
  EXPECT_EQ(parse_schema_version("version", "7").value(), 7);
  EXPECT_EQ(parse_schema_version("version", "latest").value(), -1);
  for (const char* wrong : {"", "0", "-1", "1x", "99999999999"})
    EXPECT_EQ(parse_schema_version("version", wrong).error().code(), Errc::usage) << wrong;
}

TEST(Schemas, files_are_known_by_their_ends) {
  EXPECT_EQ(read_schema_file("/nowhere/order.avsc").error().code(), Errc::not_found);
  const std::string folder = ::testing::TempDir();
  const std::string path = folder + "/weir-schema-of-no-kind.txt";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fclose(file);
  EXPECT_EQ(read_schema_file(path).error().code(), Errc::usage);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace weir::cli
