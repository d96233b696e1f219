// log_cost: what durability costs without sockets. Prints a line of JSON for each measurement.
#include <charconv>
#include <cstdio>
#include <string_view>

#include "base/log.h"
#include "space.h"
#include "store.h"

namespace {

template <class T>
bool parse(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out > 0;
}

}  // namespace

int main(int argc, char** argv) {
  double scale = 0;  // share of the full number of writes
  int most_partitions = 0;
  if (argc < 4 || argc > 5 || !parse(argv[2], scale) || !parse(argv[3], most_partitions)) {
    std::fputs("usage: log_cost FOLDER SCALE MOST-PARTITIONS [space|cycles|checkpoints]\n", stderr);
    return 2;
  }
  weir::set_log_level(weir::LogLevel::warn);
  const std::string_view part = argc == 5 ? argv[4] : "";
  const std::string folder = argv[1];
  if (part.empty() || part == "space") weir::log_cost::measure_space(folder, scale);
  if (part.empty() || part == "cycles")
    weir::log_cost::measure_cycles(folder, scale, most_partitions);
  if (part.empty() || part == "checkpoints")
    weir::log_cost::measure_checkpoints(folder, scale, most_partitions);
  return 0;
}
