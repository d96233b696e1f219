// Shared by the real implementations; nobody outside io includes this.
#pragma once

#include "io/file.h"

namespace weir::io {

/// A file with a descriptor, so that the network can send from it.
class NativeFile : public File {
 public:
  virtual int descriptor() const = 0;
};

/// Takes the descriptor over.
std::shared_ptr<NativeFile> make_descriptor_file(int descriptor, std::string path);

}  // namespace weir::io
