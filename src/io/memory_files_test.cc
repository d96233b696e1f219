// Files in memory: what a log asks of a file system, and the bound.
#include "io/memory_files.h"

#include <gtest/gtest.h>

namespace weir::io {
namespace {

constexpr std::uint64_t most = 1U << 20U;

std::string content(FileSystem& files, const std::string& path) {
  auto text = read_file(files, path, most);
  return text ? *text : std::string(name_of(text.error().code()));
}

TEST(memory_files, keep_what_was_written_under_its_name) {
  const auto files = make_memory_file_system(most);
  ASSERT_TRUE(files->make_directories("data/wal"));
  auto file = files->open("data/wal/1", OpenMode::create_new).value();
  ASSERT_TRUE(file->write_at(2, "cd"));
  ASSERT_TRUE(file->write_at(0, "ab"));
  EXPECT_EQ(content(*files, "data/wal/1"), "abcd");
  EXPECT_EQ(content(*files, "./data//wal/1"), "abcd");
  EXPECT_EQ(file->size().value(), 4U);
  ASSERT_TRUE(file->truncate(3));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(write_file_durably(*files, "data/text", "of a text"));
  EXPECT_EQ(content(*files, "data/text"), "of a text");
  const auto entries = files->list("data").value();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].name, "text");
  EXPECT_FALSE(entries[0].is_directory);
  EXPECT_TRUE(entries[1].is_directory);
}

TEST(memory_files, a_folder_moves_with_what_is_in_it_and_an_open_file_outlives_its_name) {
  const auto files = make_memory_file_system(most);
  ASSERT_TRUE(files->make_directories("t-1"));
  ASSERT_TRUE(files->make_directories("t-10"));
  auto file = files->open("t-1/log", OpenMode::create).value();
  ASSERT_TRUE(file->write_at(0, "x"));
  ASSERT_TRUE(files->rename("t-1", "t-1.gone"));
  EXPECT_FALSE(files->exists("t-1/log").value());
  EXPECT_TRUE(files->exists("t-10").value());
  EXPECT_EQ(content(*files, "t-1.gone/log"), "x");
  ASSERT_TRUE(files->remove_all("t-1.gone"));
  EXPECT_FALSE(files->exists("t-1.gone").value());
  char byte = 0;
  EXPECT_EQ(file->read_at(0, &byte, 1).value(), 1U);
  EXPECT_EQ(byte, 'x');
}

TEST(memory_files, what_is_not_there_or_not_a_file_is_said) {
  const auto files = make_memory_file_system(most);
  const auto code = [](const auto& result) { return result ? Errc::none : result.error().code(); };
  EXPECT_EQ(code(files->open("a", OpenMode::read)), Errc::not_found);
  EXPECT_EQ(code(files->open("no/a", OpenMode::create)), Errc::not_found);
  EXPECT_EQ(code(files->list("no")), Errc::not_found);
  EXPECT_EQ(code(files->rename("a", "b")), Errc::not_found);
  EXPECT_EQ(code(files->remove("a")), Errc::not_found);
  EXPECT_EQ(code(files->remove_all("a")), Errc::none);
  ASSERT_TRUE(files->open("a", OpenMode::create));
  EXPECT_EQ(code(files->open("a", OpenMode::create_new)), Errc::already_exists);
  EXPECT_EQ(code(files->make_directories("a/b")), Errc::already_exists);
  ASSERT_TRUE(files->make_directories("d"));
  EXPECT_EQ(code(files->open("d", OpenMode::read)), Errc::io_error);
}

TEST(memory_files, are_full_at_their_bound_and_not_for_ever) {
  const auto files = make_memory_file_system(10);
  auto file = files->open("a", OpenMode::create).value();
  ASSERT_TRUE(file->allocate(1000));
  EXPECT_EQ(file->size().value(), 1000U);
  EXPECT_EQ(files->free_bytes(".").value(), 10U);
  ASSERT_TRUE(file->write_at(0, "01234567"));
  const auto refused = file->write_at(8, "890");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::disk_full);
  EXPECT_EQ(files->free_bytes(".").value(), 2U);
  ASSERT_TRUE(file->write_at(0, "0123456789"));
  ASSERT_TRUE(file->truncate(4));
  EXPECT_EQ(files->free_bytes(".").value(), 6U);
  ASSERT_TRUE(files->remove("a"));
  EXPECT_EQ(files->free_bytes(".").value(), 6U);  // it is still open
  file.reset();
  EXPECT_EQ(files->free_bytes(".").value(), 10U);
}

TEST(memory_files, a_folder_is_locked_once) {
  const auto files = make_memory_file_system(most);
  ASSERT_TRUE(files->make_directories("d"));
  auto lock = files->lock_folder("d");
  ASSERT_TRUE(lock);
  EXPECT_EQ(files->lock_folder("./d").error().code(), Errc::locked);
  lock->reset();
  EXPECT_TRUE(files->lock_folder("d"));
}

}  // namespace
}  // namespace weir::io
