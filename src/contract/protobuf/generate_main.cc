// protobuf_generate OUT FILE...: what `weir contract generate` does with .proto files, for the
// build of the tests.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "contract/protobuf/generate.h"

int main(int argc, char** argv) {
  using namespace weir::contract::protobuf;
  if (argc < 3) return 2;
  std::vector<SchemaFile> files;
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    files.push_back({argv[i], std::string(std::istreambuf_iterator<char>(file), {})});
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
