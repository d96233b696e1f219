// Damage of the metadata log: the broker starts, no topic with data is lost, and nothing of it
// expires.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/check.h"
#include "base/log.h"
#include "broker/metadata.h"
#include "config/broker_settings.h"
#include "io/sim_runtime.h"
#include "kafka/batch_builder.h"

namespace weir::broker {
namespace {

using namespace std::chrono_literals;

constexpr const char* metadata_folder = "data/__cluster_metadata-0";

struct MadeTopic {
  std::string name;
  std::set<std::int32_t> with_data;
  bool deleted = false;
};

struct Counters {
  int rounds = 0;
  int adopted = 0;  // topics whose record was lost
  int kept = 0;     // topics whose record was not
  int mended = 0;   // rounds in which the write-ahead log had everything
};

class DamagedMetadata {
 public:
  explicit DamagedMetadata(std::uint64_t seed) : rng_(seed), world_(seed) {
    set_log_level(LogLevel::off);
    options_.folder = "data";
    options_.wal_file_bytes = 64U << 10U;
    options_.wal_first_file_bytes = 64U << 10U;
  }
  ~DamagedMetadata() {
    end();
    set_log_level(LogLevel::info);
  }

  void run(Counters& counters) {
    open();
    for (int i = 0; i < 12; ++i) make_topic();
    for (int i = 0; i < 3; ++i) delete_topic();
    highest_producer_ = producer_id();
    close();
    const bool wal_lost = rng_.one_in(2);
    if (wal_lost) remove_wal();
    if (!hurt()) return;
    ++counters.rounds;
    counters.mended += wal_lost ? 0 : 1;
    for (int start = 0; start < 2; ++start) {
      open();
      check_topics(start == 0 ? &counters : nullptr, wal_lost);
      ASSERT_GT(producer_id(), highest_producer_);
      // What was found is written down.
      ASSERT_TRUE(change({Metadata::broker_setting("num.partitions", "7")}));
      end();
      world_.files().crash();
    }
  }

 private:
  void open() {
    process_ = world_.start_process();
    auto opened = log::LogStore::open(*process_, options_, Metadata::log_spec());
    check(opened.has_value(), "the log opens");
    log_ = std::move(*opened);
    metadata_ = std::make_unique<Metadata>(*log_, settings_);
    check(metadata_->load().has_value(), "the metadata is read");
    check(log_->start(metadata_->partition_specs()).has_value(), "the log starts");
    metadata_->attach_logs();
  }
  void end() {
    if (process_ != nullptr) process_->kill();
    metadata_.reset();
    log_.reset();
    process_.reset();
  }
  void close() {
    bool closed = false;
    log_->close([&](const Result<void>& r) { closed = r.has_value(); });
    until([&] { return closed; });
    end();
  }
  void until(const std::function<bool()>& done) {
    check(world_.run_until(done, 10min), "the simulated machine gets there");
  }
  Result<void> change(std::vector<MetadataRecord> records) {
    std::optional<Result<void>> outcome;
    metadata_->mutate([&] { return records; }, [&](Result<void> r) { outcome = std::move(r); });
    until([&] { return outcome.has_value(); });
    return *outcome;
  }
  std::int64_t producer_id() {
    std::optional<std::int64_t> id;
    metadata_->new_producer_id([&](Result<ProducerId> r) { id = r.value().value; });
    until([&] { return id.has_value(); });
    return *id;
  }

  void make_topic() {
    const TopicId id = metadata_->new_topic_id();
    const std::string name = "topic-" + std::to_string(made_.size());
    ASSERT_TRUE(change({Metadata::topic_record(id, name, 3),
                        Metadata::topic_setting(id, "retention.ms", "1000000")}));
    MadeTopic& topic = made_[id];
    topic.name = name;
    for (std::int32_t p = 0; p < 3; ++p)
      if (rng_.one_in(2)) {
        kafka::BatchBuilder builder;
        builder.append(1'700'000'000'000, "k", "v");
        std::optional<bool> appended;
        metadata_->find(id)->logs[static_cast<std::size_t>(p)]->append(
            builder.finish({}).value(),
            [&](const Result<log::Appended>& r) { appended = r.has_value(); });
        until([&] { return appended.has_value(); });
        ASSERT_TRUE(*appended);
        topic.with_data.insert(p);
      }
  }

  void delete_topic() {
    auto at = made_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(rng_.below(made_.size())));
    at->second.deleted = true;
    ASSERT_TRUE(change({Metadata::topic_deleted(at->first)}));
  }

  void remove_wal() {
    const auto entries = world_.files().list("data/wal").value();
    for (const auto& entry : entries)
      check(world_.files().remove("data/wal/" + entry.name).has_value(), "a file is removed");
  }

  bool hurt() {
    auto& files = world_.files();
    std::string path;
    const auto entries = files.list(metadata_folder).value();
    for (const auto& entry : entries)
      if (entry.name.ends_with(".log")) path = std::string(metadata_folder) + "/" + entry.name;
    std::string bytes = io::read_file(files, path, 64U << 20U).value();
    const std::string before = bytes;
    const std::uint64_t at = rng_.below(bytes.size());
    switch (rng_.below(4)) {
      case 0: bytes.resize(at); break;
      case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng_.below(8))); break;
      case 2: bytes.clear(); break;
      default:
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    std::min<std::uint64_t>(1 + rng_.below(800), bytes.size() - at), '\0');
    }
    auto file = files.open(path, io::OpenMode::create).value();
    check(file->truncate(0).has_value() && file->write_at(0, bytes).has_value() &&
              file->sync().has_value(),
          "a file is written");
    return bytes != before;
  }

  void check_topics(Counters* counters, bool wal_lost) {
    for (const auto& [id, made] : made_) {
      const Topic* topic = metadata_->find(id);
      if (made.deleted) {
        // That it was deleted may be lost; its data is gone all the same.
        EXPECT_TRUE(topic == nullptr || wal_lost) << made.name;
        continue;
      }
      if (made.with_data.empty() && wal_lost) continue;  // no folder says that it was there
      ASSERT_NE(topic, nullptr) << made.name;
      EXPECT_EQ(topic->name, made.name);
      const std::int64_t retention = metadata_->effective_int(*topic, "retention.ms");
      EXPECT_TRUE(retention == 1'000'000 || (wal_lost && retention == -1)) << retention;
      for (const std::int32_t p : made.with_data)
        EXPECT_EQ(topic->logs[static_cast<std::size_t>(p)]->high_watermark(), Offset(1));
      if (counters != nullptr) ++(retention == -1 ? counters->adopted : counters->kept);
    }
  }

  Rng rng_;
  io::SimWorld world_;
  log::LogOptions options_;
  config::Settings settings_{config::broker_settings()};
  std::unique_ptr<io::SimProcess> process_;
  std::unique_ptr<log::LogStore> log_;
  std::unique_ptr<Metadata> metadata_;
  std::map<TopicId, MadeTopic> made_;
  std::int64_t highest_producer_ = -1;
};

TEST(damaged_metadata, keeps_every_topic_that_has_data) {
  Counters counters;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    DamagedMetadata(seed).run(counters);
    if (HasFatalFailure() || HasNonfatalFailure()) break;
  }
  EXPECT_GT(counters.rounds, 150);
  EXPECT_GT(counters.mended, 50);
  EXPECT_GT(counters.adopted, 100);
  EXPECT_GT(counters.kept, 100);
}

}  // namespace
}  // namespace weir::broker
