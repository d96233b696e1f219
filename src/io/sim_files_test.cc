// The simulated disk: it must forget what a real one may forget, and keep what was synced.
#include <gtest/gtest.h>

#include "io/sim_files.h"

namespace weir::io {
namespace {

std::string content(SimFileSystem& fs, const std::string& path) {
  auto r = read_file(fs, path, 1 << 20);
  return r ? *r : "<" + std::string(name_of(r.error().code())) + ">";
}

std::shared_ptr<File> make(SimFileSystem& fs, const std::string& path) {
  return fs.open(path, OpenMode::create).value();
}

TEST(sim_files, what_was_synced_with_its_name_survives_every_crash) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SimFileSystem fs(seed);
    ASSERT_TRUE(fs.make_directories("d"));
    ASSERT_TRUE(fs.sync_directory("."));
    auto f = make(fs, "d/a");
    ASSERT_TRUE(f->write_at(0, "hello"));
    ASSERT_TRUE(f->sync());
    ASSERT_TRUE(fs.sync_directory("d"));
    ASSERT_TRUE(f->write_at(5, " world"));
    fs.crash();
    EXPECT_EQ(content(fs, "d/a").substr(0, 5), "hello") << seed;
  }
}

TEST(sim_files, what_was_not_synced_is_lost_torn_or_kept_depending_on_the_seed) {
  int lost = 0;
  int kept = 0;
  int torn = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SimFileSystem fs(seed);
    auto f = make(fs, "a");
    ASSERT_TRUE(f->write_at(0, "12345678"));
    ASSERT_TRUE(f->sync());
    ASSERT_TRUE(fs.sync_directory("."));
    ASSERT_TRUE(f->write_at(0, "abcdefgh"));
    fs.crash();
    const std::string after = content(fs, "a");
    (after == "12345678" ? lost : after == "abcdefgh" ? kept : torn)++;
  }
  EXPECT_GT(lost, 20);
  EXPECT_GT(kept, 20);
  EXPECT_GT(torn, 20);
}

TEST(sim_files, a_file_whose_directory_was_not_synced_may_vanish_though_its_content_was_synced) {
  int vanished = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimFileSystem fs(seed);
    auto f = make(fs, "a");
    ASSERT_TRUE(f->write_at(0, "x"));
    ASSERT_TRUE(f->sync());
    fs.crash();
    vanished += fs.exists("a").value() ? 0 : 1;
  }
  EXPECT_GT(vanished, 5);
  EXPECT_LT(vanished, 50);
}

TEST(sim_files, a_rename_may_survive_without_the_content_of_the_file_it_names) {
  int empty = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SimFileSystem fs(seed);
    auto f = make(fs, "a.tmp");
    ASSERT_TRUE(f->write_at(0, "new"));
    ASSERT_TRUE(fs.rename("a.tmp", "a"));
    fs.crash();
    empty += content(fs, "a").empty() ? 1 : 0;
  }
  EXPECT_GT(empty, 5);
}

TEST(sim_files, a_failed_sync_loses_what_was_pending_and_the_next_one_succeeds) {
  SimFileSystem fs(3);
  auto f = make(fs, "a");
  ASSERT_TRUE(fs.sync_directory("."));
  ASSERT_TRUE(f->write_at(0, "lost"));
  fs.add_fault({.op = FileOp::sync, .path = "a"});
  auto failed = f->sync();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::sync_failed);
  EXPECT_TRUE(f->sync());
  EXPECT_EQ(content(fs, "a"), "lost") << "the page cache still shows it";
  fs.crash();
  EXPECT_EQ(content(fs, "a"), "");
}

TEST(sim_files, after_the_chosen_operation_nothing_has_an_effect_until_the_crash) {
  SimFileSystem fs(3);
  auto f = make(fs, "a");
  fs.crash_after(1);
  EXPECT_TRUE(f->write_at(0, "1"));
  auto second = f->write_at(1, "2");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::simulated_crash);
  EXPECT_FALSE(f->sync());
  fs.kill();
  EXPECT_EQ(content(fs, "a"), "1");
  EXPECT_FALSE(f->write_at(0, "x")) << "the handle of the dead process is dead";
}

TEST(sim_files, the_nth_call_fails_once_or_for_ever) {
  SimFileSystem fs(3);
  auto f = make(fs, "a");
  fs.add_fault({.op = FileOp::write, .path = "a", .skip = 1, .count = 1, .error = Errc::io_error});
  EXPECT_TRUE(f->write_at(0, "1"));
  EXPECT_FALSE(f->write_at(1, "2"));
  EXPECT_TRUE(f->write_at(1, "2"));
  fs.add_fault({.op = FileOp::write, .path = "a", .skip = 0, .count = 0, .error = Errc::disk_full});
  EXPECT_EQ(f->write_at(0, "1").error().code(), Errc::disk_full);
  EXPECT_EQ(f->write_at(0, "1").error().code(), Errc::disk_full);
}

TEST(sim_files, a_full_disk_refuses_growth_and_takes_overwrites) {
  SimFileSystem fs(3);
  fs.set_capacity(8);
  auto f = make(fs, "a");
  EXPECT_TRUE(f->write_at(0, "12345678"));
  EXPECT_EQ(f->write_at(8, "9").error().code(), Errc::disk_full);
  EXPECT_TRUE(f->write_at(0, "abc"));
}

TEST(sim_files, one_process_holds_a_folder_and_a_dead_one_lets_go) {
  SimFileSystem fs(3);
  ASSERT_TRUE(fs.make_directories("d"));
  auto lock = fs.lock_folder("d");
  ASSERT_TRUE(lock);
  EXPECT_EQ(fs.lock_folder("d").error().code(), Errc::locked);
  fs.crash();
  EXPECT_EQ(fs.lock_folder("d").has_value(), true);
}

}  // namespace
}  // namespace weir::io
