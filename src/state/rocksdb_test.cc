#include "state/rocksdb.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "state/state_test_kit.h"

namespace weir::state {
namespace {

class rocksdb_folder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "weir_rocksdb_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    folder_ = root_ + "/tasks/0_1";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  Result<std::unique_ptr<Database>> open() { return open_rocksdb({folder_, memory_}); }
  void put(Database& database, std::string_view key, std::string_view value) {
    Batch batch;
    batch.put(key, value);
    ASSERT_TRUE(database.write(batch));
  }

  std::string root_;
  std::string folder_;
  SharedMemory memory_;
};

TEST_F(rocksdb_folder, is_made_with_what_is_above_it_and_keeps_what_was_written) {
  {
    auto database = open();
    ASSERT_TRUE(database) << database.error().message();
    put(**database, "a", "1");
  }
  auto database = open();
  ASSERT_TRUE(database) << database.error().message();
  EXPECT_EQ(all(**database), (Entries{{"a", "1"}}));
}

TEST_F(rocksdb_folder, that_is_open_already_is_locked) {
  auto first = open();
  ASSERT_TRUE(first);
  auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::locked) << second.error().message();
  EXPECT_NE(second.error().message().find(folder_), std::string::npos);
  EXPECT_EQ(remove_rocksdb(folder_).error().code(), Errc::locked);
}

/// Another process that has the database of `folder` open, as far as its LOCK tells.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& folder) {
    std::array<int, 2> ready{};
    std::array<int, 2> over{};
    EXPECT_EQ(pipe(ready.data()), 0);
    EXPECT_EQ(pipe(over.data()), 0);
    child_ = fork();
    if (child_ == 0) {
      std::FILE* file = std::fopen((folder + "/LOCK").c_str(), "r+");
      struct flock lock = {};
      lock.l_type = F_WRLCK;
      char byte = file != nullptr && fcntl(fileno(file), F_SETLK, &lock) == 0 ? 'y' : 'n';
      if (write(ready[1], &byte, 1) == 1) byte = static_cast<char>(read(over[0], &byte, 1));
      _exit(byte);
    }
    over_ = over[1];
    char byte = 'n';
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    EXPECT_EQ(byte, 'y');
    close(ready[0]);
    close(ready[1]);
    close(over[0]);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    EXPECT_EQ(write(over_, "o", 1), 1);
    close(over_);
    waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_ = 0;
  int over_ = -1;
};

TEST_F(rocksdb_folder, that_another_process_has_open_is_locked_until_that_ends) {
  {
    ASSERT_TRUE(open());
  }
  {
    const OtherProcess other(folder_);
    auto database = open();
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code(), Errc::locked) << database.error().message();
    EXPECT_NE(database.error().message().find("another process"), std::string::npos);
  }
  EXPECT_TRUE(open());
}

TEST_F(rocksdb_folder, whose_manifest_is_damaged_says_so_and_what_to_do) {
  {
    auto database = open();
    put(**database, "a", "1");
    ASSERT_TRUE((*database)->flush());
  }
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    if (!file.path().filename().string().starts_with("MANIFEST")) continue;
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(20);
    bytes.put('\x55').put('\x55').put('\x55');
  }
  auto database = open();
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code(), Errc::damaged) << database.error().message();
  EXPECT_NE(database.error().message().find("delete the folder"), std::string::npos);
  ASSERT_TRUE(remove_rocksdb(folder_));
  database = open();
  ASSERT_TRUE(database) << database.error().message();
  EXPECT_EQ(all(**database), Entries{});
}

TEST_F(rocksdb_folder, that_lacks_a_file_of_data_is_damaged_not_emptier) {
  {
    auto database = open();
    put(**database, "a", "1");
    ASSERT_TRUE((*database)->flush());
  }
  std::vector<std::filesystem::path> data;
  for (const auto& file : std::filesystem::directory_iterator(folder_))
    if (file.path().extension() == ".sst") data.push_back(file.path());
  ASSERT_EQ(data.size(), 1);
  std::filesystem::remove(data.front());
  auto database = open();
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code(), Errc::damaged) << database.error().message();
  EXPECT_TRUE(remove_rocksdb(folder_));
}

TEST_F(rocksdb_folder, whose_data_are_damaged_is_told_by_reads_and_cursors) {
  {
    auto database = open();
    for (int i = 0; i < 1'000; ++i) put(**database, "key " + std::to_string(i), "value");
    ASSERT_TRUE((*database)->flush());
  }
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    if (file.path().extension() != ".sst") continue;
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(100);
    bytes.put('\x55').put('\x55').put('\x55');
  }
  auto database = open();
  ASSERT_TRUE(database) << database.error().message();
  std::string value;
  const auto found = (*database)->get("key 0", value);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Errc::damaged) << found.error().message();
  const auto cursor = (*database)->scan({});
  while (cursor->valid()) cursor->next();
  ASSERT_FALSE(cursor->status());
  EXPECT_EQ(cursor->status().error().code(), Errc::damaged);
}

TEST_F(rocksdb_folder, that_is_a_file_is_refused_with_its_name) {
  std::filesystem::create_directories(root_ + "/tasks");
  std::ofstream(folder_) << "not a folder";
  auto database = open();
  ASSERT_FALSE(database);
  EXPECT_NE(database.error().message().find(folder_), std::string::npos);
}

TEST_F(rocksdb_folder, is_removed_with_everything_in_it) {
  {
    auto database = open();
    put(**database, "a", "1");
    EntriesRun run(Changes{{"b", "2"}});
    ASSERT_TRUE((*database)->ingest({"b", "c"}, run));
  }
  ASSERT_TRUE(remove_rocksdb(folder_));
  EXPECT_FALSE(std::filesystem::exists(folder_));
  EXPECT_TRUE(remove_rocksdb(folder_));
}

TEST_F(rocksdb_folder, forgets_files_of_an_ingestion_that_did_not_end) {
  {
    ASSERT_TRUE(open());
  }
  std::filesystem::create_directories(folder_ + "/ingest");
  std::ofstream(folder_ + "/ingest/000007.sst") << "a part";
  auto database = open();
  ASSERT_TRUE(database);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/ingest/000007.sst"));
  EXPECT_EQ(all(**database), Entries{});
}

TEST_F(rocksdb_folder, ingests_more_than_one_file_at_once) {
  auto database = open();
  Changes entries;
  for (int i = 0; i < 150; ++i)
    entries.emplace_back("k" + std::to_string(1'000 + i), std::string(1U << 20U, 'v'));
  EntriesRun run(std::move(entries));
  ASSERT_TRUE((*database)->ingest({}, run));
  EXPECT_EQ(all(**database).size(), 150);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/ingest"));
}

TEST_F(rocksdb_folder, shares_its_memory_with_others_under_one_bound) {
  SharedMemory small({.cache_bytes = 1U << 20U, .write_buffer_bytes = 4U << 20U});
  std::vector<std::unique_ptr<Database>> databases;
  for (int i = 0; i < 8; ++i) {
    auto opened = open_rocksdb({folder_ + std::to_string(i), small});
    ASSERT_TRUE(opened);
    databases.push_back(std::move(*opened));
  }
  for (int round = 0; round < 40; ++round)
    for (const auto& database : databases) {
      Batch batch;
      for (int i = 0; i < 100; ++i)
        batch.put("key " + std::to_string(round * 100 + i), std::string(1'000, 'v'));
      ASSERT_TRUE(database->write(batch));
    }
  for (const auto& database : databases) EXPECT_EQ(all(*database).size(), 4'000);
  EXPECT_LT(small.written_bytes(), 12U << 20U);  // 32 MB were written
  EXPECT_LT(small.cached_bytes(), 2U << 20U);
}

}  // namespace
}  // namespace weir::state
