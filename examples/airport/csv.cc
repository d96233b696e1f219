#include "csv.h"

#include <zstd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace airport {
namespace {

weir::Result<std::string> decompress(const std::string& packed, const std::string& path) {
  constexpr std::size_t most = 1U << 30U;
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  std::string out;
  if (size != ZSTD_CONTENTSIZE_UNKNOWN && size != ZSTD_CONTENTSIZE_ERROR && size > most)
    return weir::fail(weir::Errc::limit_exceeded, path + ": too large");
  ZSTD_DCtx* context = ZSTD_createDCtx();
  std::string chunk(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t left = 1;
  while (in.pos < in.size || left > 0) {
    ZSTD_outBuffer to{chunk.data(), chunk.size(), 0};
    left = ZSTD_decompressStream(context, &to, &in);
    if (ZSTD_isError(left) != 0 || out.size() + to.pos > most ||
        (to.pos == 0 && in.pos == in.size && left > 0)) {
      ZSTD_freeDCtx(context);
      return weir::fail(weir::Errc::malformed, path + ": is no zstd file, or is cut short");
    }
    out.append(chunk.data(), to.pos);
    if (in.pos == in.size && left == 0) break;
  }
  ZSTD_freeDCtx(context);
  return out;
}

}  // namespace

weir::Result<CsvFile> CsvFile::open(const std::string& folder, const std::string& name) {
  CsvFile csv;
  const std::string path = folder + "/" + name + ".csv";
  for (const auto& candidate : {path, path + ".zst"}) {
    std::ifstream file(candidate, std::ios::binary);
    if (!file) continue;
    std::ostringstream content;
    content << file.rdbuf();
    csv.text_ = std::move(content).str();
    if (candidate.ends_with(".zst")) {
      auto plain = decompress(csv.text_, candidate);
      if (!plain) return weir::fail(plain.error());
      csv.text_ = std::move(*plain);
    }
    const auto lines = std::count(csv.text_.begin(), csv.text_.end(), '\n');
    csv.rows_ = lines > 0 ? static_cast<std::size_t>(lines) - 1 : 0;
    csv.split();
    for (std::size_t i = 0; i < csv.row_.size(); ++i) csv.columns_[csv.row_[i]] = i;
    return csv;
  }
  return weir::fail(weir::Errc::not_found, path + ": there is no such file, nor " + path + ".zst");
}

bool CsvFile::next() {
  if (at_ >= text_.size()) return false;
  split();
  return true;
}

void CsvFile::split() {
  row_.clear();
  row_.emplace_back();
  bool quoted = false;
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == '"') {
      if (quoted && at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        row_.back() += '"';
        ++at_;
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      row_.emplace_back();
    } else if (c == '\n' && !quoted) {
      ++at_;
      break;
    } else if (c != '\r') {
      row_.back() += c;
    }
  }
}

std::string_view CsvFile::operator[](std::string_view column) const {
  const auto found = columns_.find(std::string(column));
  if (found == columns_.end() || found->second >= row_.size()) return {};
  const std::string& value = row_[found->second];
  return value == "NA" ? std::string_view() : std::string_view(value);
}

}  // namespace airport
