// Who reads the subjects, as far as `_weir.readers` says: the groups that a new version would
// break.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "contract/readers.h"
#include "registry/record.h"

namespace weir::registry {

/// Threads: that of the store.
class Readers {
 public:
  /// A record of the stream; one that is none is passed over.
  void apply(const StreamRecord& record);
  /// Of the groups whose schema cannot read what `candidate` writes, as messages list them:
  /// "{consumer:'billing', description:'...'}".
  std::vector<std::string> broken_by(const std::string& subject,
                                     const contract::Schema& candidate) const;
  std::size_t size() const { return by_key_.size(); }

 private:
  std::map<std::string, contract::ReaderRecord> by_key_;  // at most limits::known_readers
};

}  // namespace weir::registry
