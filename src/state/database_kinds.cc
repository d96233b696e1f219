#include "state/database_kinds.h"

namespace weir::state {
namespace {

class Memory final : public Place {
 public:
  std::unique_ptr<Database> open() override { return open_in_memory(); }
  bool lasts() const override { return false; }
};

}  // namespace

std::vector<const Kind*> kinds() {
  static const Kind memory{"memory", [] { return std::unique_ptr<Place>(new Memory); }};
  return {&memory};
}

}  // namespace weir::state
