#include "io/file.h"

namespace weir::io {

Result<std::string> read_file(FileSystem& files, const std::string& path, std::size_t max_bytes) {
  auto file = files.open(path, OpenMode::read);
  if (!file) return fail(file.error());
  auto size = (*file)->size();
  if (!size) return fail(size.error());
  if (*size > max_bytes)
    return fail(Errc::limit_exceeded, path + ": " + std::to_string(*size) + " bytes, at most " +
                                          std::to_string(max_bytes) + " are read");
  std::string content(*size, '\0');
  auto got = (*file)->read_at(0, content.data(), content.size());
  if (!got) return fail(got.error());
  content.resize(*got);
  return content;
}

Result<void> write_file_durably(FileSystem& files, const std::string& path,
                                std::string_view content) {
  const std::string tmp = path + ".tmp";
  auto file = files.open(tmp, OpenMode::create);
  if (!file) return fail(file.error());
  if (auto r = (*file)->truncate(0); !r) return r;
  if (auto r = (*file)->write_at(0, content); !r) return r;
  if (auto r = (*file)->sync(); !r) return r;
  if (auto r = files.rename(tmp, path); !r) return r;
  return files.sync_directory(parent_of(path));
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace weir::io
