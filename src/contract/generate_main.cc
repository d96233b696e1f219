// usage: contract_generate OUT FILE...: writes the headers and sources of schema files below OUT.
// The build runs it for the tests; users have `weir contract generate`.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "contract/generate.h"

int main(int argc, char** argv) {
  using namespace weir::contract;
  std::vector<SchemaFile> files;
  for (int i = 2; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    files.push_back({argv[i], {std::istreambuf_iterator<char>(in), {}}});
  }
  const auto made = generate(files);
  if (!made) {
    std::fprintf(stderr, "%s\n", made.error().message().c_str());
    return 1;
  }
  for (const GeneratedFile& file : *made) {
    const std::filesystem::path path = std::filesystem::path(argv[1]) / file.path;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << file.text;
  }
  return 0;
}
