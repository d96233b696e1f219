#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace weir {

void check_failed(std::string_view message, std::source_location where) {
  std::fprintf(stderr, "weir: bug: %.*s (%s:%u, %s)\n", static_cast<int>(message.size()),
               message.data(), where.file_name(), where.line(), where.function_name());
  std::abort();
}

}  // namespace weir
