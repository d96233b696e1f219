#include "kafka/testdata.h"

#include <zstd.h>

#include <fstream>
#include <iterator>

#include "base/check.h"

namespace weir::kafka {

std::vector<json::Value> read_testdata(std::string_view name) {
  const std::string path = WEIR_SOURCE_DIR "/src/kafka/testdata/" + std::string(name);
  std::ifstream file(path, std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  check(size < (1U << 24U), path + ": cannot be read");
  std::string text(size, '\0');
  check(ZSTD_decompress(text.data(), text.size(), packed.data(), packed.size()) == size,
        path + ": does not decompress");
  std::vector<json::Value> rows;
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    auto row = json::parse(line);
    check(row.has_value(), path + ": a line is no JSON");
    rows.push_back(std::move(*row));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return rows;
}

}  // namespace weir::kafka
