// Shared by the real implementations; nobody outside io includes this.
#pragma once

#include "io/file.h"

namespace weir::io {

/// A file with a descriptor, so that the network can send from it.
class NativeFile : public File {
 public:
  virtual int descriptor() const = 0;
};

}  // namespace weir::io
