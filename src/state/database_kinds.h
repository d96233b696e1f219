// The kinds of databases that the contract is tested on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "state/database.h"

namespace weir::state {

/// Where one database lives.
class Place {
 public:
  virtual ~Place() = default;
  virtual std::unique_ptr<Database> open() = 0;
  /// Whether what was written is there again when it is closed and opened.
  virtual bool lasts() const = 0;
};

struct Kind {
  std::string name;
  std::unique_ptr<Place> (*make_place)();
};

std::vector<const Kind*> kinds();

}  // namespace weir::state
