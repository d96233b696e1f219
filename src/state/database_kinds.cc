#include "state/database_kinds.h"

#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "state/rocksdb.h"

namespace weir::state {
namespace {

class Memory final : public Place {
 public:
  std::unique_ptr<Database> open() override { return open_in_memory(); }
  bool lasts() const override { return false; }
};

class Rocks final : public Place {
 public:
  Rocks() {
    std::string name = std::filesystem::temp_directory_path() / "weir_state_XXXXXX";
    check(::mkdtemp(name.data()) != nullptr, "state: no temporary folder can be made");
    folder_ = name;
  }
  Rocks(const Rocks&) = delete;
  Rocks& operator=(const Rocks&) = delete;
  ~Rocks() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Database> open() override {
    auto opened = open_rocksdb({folder_ + "/state", memory_});
    check(opened.has_value(), opened ? "" : opened.error().message());
    return std::move(*opened);
  }
  bool lasts() const override { return true; }

 private:
  std::string folder_;
  SharedMemory memory_;
};

}  // namespace

std::vector<const Kind*> kinds() {
  static const Kind memory{"memory", [] { return std::unique_ptr<Place>(new Memory); }};
  static const Kind rocks{"rocksdb", [] { return std::unique_ptr<Place>(new Rocks); }};
  return {&memory, &rocks};
}

}  // namespace weir::state
