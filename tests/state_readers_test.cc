// Databases that one thread writes and others read at the same time.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "state/database_kinds.h"
#include "state/state_test_kit.h"

namespace weir::state {
namespace {

constexpr int keys = 100;
constexpr int batches = 400;

std::string key_of(int i) { return "key " + std::to_string(1'000 + i); }

/// ThreadSanitizer cannot see the order of things inside RocksDB, which is built without it.
std::vector<const Kind*> visible_kinds() {
  std::vector<const Kind*> all_kinds = kinds();
#ifdef __SANITIZE_THREAD__
  std::erase_if(all_kinds, [](const Kind* kind) { return kind->name == "rocksdb"; });
#endif
  return all_kinds;
}

class readers : public testing::TestWithParam<const Kind*> {};

INSTANTIATE_TEST_SUITE_P(of, readers, testing::ValuesIn(visible_kinds()),
                         [](const auto& kind) { return kind.param->name; });

/// Every batch puts its number under each key: a reader sees one number, and never a smaller one
/// than before.
class Reader {
 public:
  explicit Reader(const Database& database) : database_(database) {
    for (int i = 0; i < keys; ++i) keys_.push_back(key_of(i));
  }

  void look() {
    Entries entries = all(database_, {}, looks_ % 2 == 0 ? Order::ascending : Order::descending);
    if (entries.size() != keys) fault_ = "a cursor saw " + std::to_string(entries.size()) + " keys";
    begin_moment();
    for (const auto& [key, value] : entries) see(value);

    const std::vector<std::string_view> views(keys_.begin(), keys_.end());
    std::vector<std::optional<std::string>> found(keys);
    if (!database_.multi_get(views, found)) fault_ = "multi_get failed";
    begin_moment();
    for (const auto& value : found) see(value.value_or("-1"));

    std::string value;
    const auto got = database_.get(keys_.front(), value);
    begin_moment();
    see(got && *got ? value : "-1");
    ++looks_;
  }

  const std::string& fault() const { return fault_; }
  int looks() const { return looks_; }

 private:
  void begin_moment() { first_ = true; }
  void see(const std::string& value) {
    const int batch = std::stoi(value);
    if (batch != batch_ && (!first_ || batch < batch_))
      fault_ = "batch " + value + " after batch " + std::to_string(batch_);
    first_ = false;
    batch_ = batch;
  }

  const Database& database_;
  std::vector<std::string> keys_;
  std::string fault_;
  int batch_ = 0;
  int looks_ = 0;
  bool first_ = true;
};

void write_batch(Database& database, int number) {
  Batch batch;
  if (number % 3 == 0) batch.remove(PrefixRange("key ").range());
  for (int i = 0; i < keys; ++i) batch.put(key_of(i), std::to_string(number));
  ASSERT_TRUE(database.write(batch));
}

TEST_P(readers, see_whole_batches_while_another_thread_writes) {
  const auto place = GetParam()->make_place();
  const auto database = place->open();
  write_batch(*database, 0);
  std::atomic<bool> over = false;
  std::vector<Reader> found(2, Reader(*database));
  std::atomic<int> ready = 0;
  std::vector<std::thread> threads;
  for (Reader& reader : found)
    threads.emplace_back([&] {
      do {
        reader.look();
        if (reader.looks() == 1) ++ready;
      } while (!over);
    });
  while (ready < 2) std::this_thread::yield();
  for (int number = 1; number <= batches; ++number) {
    write_batch(*database, number);
    if (number % 50 == 0) {
      EXPECT_TRUE(database->flush());
    }
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  for (const Reader& reader : found) {
    EXPECT_EQ(reader.fault(), "");
    EXPECT_GT(reader.looks(), 1);
  }
}

}  // namespace
}  // namespace weir::state
