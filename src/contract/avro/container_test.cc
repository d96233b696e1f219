#include "contract/avro/container.h"

#include <gtest/gtest.h>

#include "contract/avro/test_kit.h"

namespace weir::contract::avro {
namespace {

constexpr std::string_view row_schema =
    R"({"type":"record","name":"Row","fields":[{"name":"n","type":"long"},{"name":"s","type":"string"}]})";

std::string file_of(std::size_t rows, ContainerOptions options) {
  Rng rng(7);
  const SchemaPtr of = schema(row_schema);
  auto writer = ContainerWriter::create(of, rng, std::move(options)).value();
  Arena arena;
  for (std::size_t i = 0; i < rows; ++i) {
    arena.reset();
    const json::Object row{{"n", static_cast<std::int64_t>(i)},
                           {"s", "row " + std::to_string(i % 10)}};
    EXPECT_TRUE(writer.add(from_json(*of, json::Value(row), arena).value()));
  }
  EXPECT_TRUE(writer.flush());
  return writer.output();
}

/// The number of rows that are read and right, or the error.
std::string rows_of(std::string_view file) {
  auto reader = ContainerReader::open(file);
  if (!reader) return reader.error().message();
  const PlanPtr plan = resolve(reader->schema(), reader->schema()).value();
  Arena arena;
  for (std::size_t n = 0;; ++n) {
    arena.reset();
    const Cell* cell = nullptr;
    const auto more = reader->next(*plan, arena, cell, {.borrow = true});
    if (!more) return more.error().message();
    if (!*more) return std::to_string(n);
    const View row(*reader->schema(), *cell);
    EXPECT_EQ(row.field("n").integer(), static_cast<std::int64_t>(n));
    EXPECT_EQ(row.field("s").bytes(), "row " + std::to_string(n % 10));
  }
}

TEST(Container, every_codec_gives_back_what_was_written_in_blocks) {
  for (const ContainerCodec codec : {ContainerCodec::null, ContainerCodec::deflate,
                                     ContainerCodec::snappy, ContainerCodec::zstandard})
    for (const std::size_t rows : {0U, 1U, 5000U})
      EXPECT_EQ(rows_of(file_of(rows, {.codec = codec, .block_bytes = 4000, .metadata = {}})),
                std::to_string(rows))
          << name_of(codec);
}

TEST(Container, the_header_carries_schema_codec_and_metadata) {
  const std::string file =
      file_of(1, {.codec = ContainerCodec::deflate, .metadata = {{"owner", "billing"}}});
  const auto reader = ContainerReader::open(file).value();
  EXPECT_EQ(reader.schema()->text(), row_schema);
  EXPECT_EQ(reader.codec(), ContainerCodec::deflate);
  EXPECT_EQ(reader.metadata().at("owner"), "billing");
  EXPECT_EQ(reader.metadata().size(), 1U);
  Rng rng(1);
  EXPECT_FALSE(ContainerWriter::create(schema("\"int\""), rng, {.metadata = {{"avro.x", ""}}}));
}

TEST(Container, another_reader_gets_its_own_view_of_the_file) {
  const std::string file = file_of(3, {});
  auto reader = ContainerReader::open(file).value();
  const SchemaPtr other = schema(
      R"({"type":"record","name":"Row","fields":[{"name":"n","type":"double"},{"name":"x","type":"int","default":9}]})");
  const PlanPtr plan = resolve(reader.schema(), other).value();
  Arena arena;
  const Cell* cell = nullptr;
  ASSERT_TRUE(reader.next(*plan, arena, cell).value());
  ASSERT_TRUE(reader.next(*plan, arena, cell).value());
  EXPECT_EQ(json::write(to_json(View(*other, *cell))), R"({"n":1.0,"x":9})");
}

TEST(Container, a_file_cut_anywhere_gives_the_whole_blocks_and_an_error) {
  const std::string file =
      file_of(40, {.codec = ContainerCodec::snappy, .block_bytes = 100, .metadata = {}});
  std::size_t ended = 0;
  for (std::size_t size = 0; size < file.size(); ++size) {
    const std::string said = rows_of(file.substr(0, size));
    if (said.starts_with("avro container: ")) continue;
    ++ended;  // between two blocks: nothing says that more was meant to follow
  }
  EXPECT_EQ(ended, 3U);
}

TEST(Container, a_flipped_bit_in_a_packed_block_or_a_marker_is_found) {
  const std::string file =
      file_of(200, {.codec = ContainerCodec::snappy, .block_bytes = 1000, .metadata = {}});
  const std::size_t header = file_of(0, {.codec = ContainerCodec::snappy, .metadata = {}}).size();
  for (std::size_t at = header; at < file.size(); ++at) {
    std::string broken = file;
    broken[at] = static_cast<char>(broken[at] ^ 0x40);
    // What is not refused says the same: a copy may come from another place with the same bytes.
    const std::string said = rows_of(broken);
    EXPECT_TRUE(said.starts_with("avro") || said == "200") << at << ": " << said;
  }
}

TEST(Container, a_codec_that_is_not_there_is_refused_by_name) {
  std::string file = file_of(0, {.codec = ContainerCodec::deflate, .metadata = {}});
  const auto at = file.find("deflate");
  file.replace(at - 1, 8,
               "\x0a"
               "bzip2");
  const auto reader = ContainerReader::open(file);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), Errc::unsupported);
  EXPECT_TRUE(contains(reader.error().message(), "bzip2"));
}

TEST(Container, what_is_no_file_is_refused) {
  EXPECT_TRUE(contains(rows_of(""), "does not begin"));
  EXPECT_TRUE(contains(rows_of(std::string_view("Obj\2", 4)), "does not begin"));
  EXPECT_TRUE(
      contains(rows_of(std::string("Obj\1\0", 5) + std::string(16, 'x')), "no avro.schema"));
}

}  // namespace
}  // namespace weir::contract::avro
