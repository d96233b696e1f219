// The CSV files of the flights, plain or compressed with zstd.
#pragma once

#include <weir/result.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace airport {

/// One file in memory; rows are split when they are asked for.
class CsvFile {
 public:
  /// FOLDER/NAME.csv, or FOLDER/NAME.csv.zst. not_found names both.
  static weir::Result<CsvFile> open(const std::string& folder, const std::string& name);

  /// Reads the next row; false at the end. Quoted fields may hold commas and doubled quotes.
  bool next();
  /// A field of the row that next() read; "NA" is absent and read as "". An unknown column is "".
  std::string_view operator[](std::string_view column) const;
  std::size_t rows() const { return rows_; }  // in all, without the header

 private:
  void split();

  std::string text_;
  std::size_t at_ = 0;
  std::size_t rows_ = 0;
  std::vector<std::string> row_;
  std::unordered_map<std::string, std::size_t> columns_;
};

}  // namespace airport
