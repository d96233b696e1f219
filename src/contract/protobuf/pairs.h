// The pairs of testdata/protobuf/pairs.txt, for tests; the file says how it is written.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "contract/protobuf/compatibility.h"
#include "contract/protobuf/test_kit.h"

namespace weir::contract::protobuf {

struct Side {
  std::string text;
  std::vector<Named> imports;
};

/// "compatible", "compatible by RULE", or the rules that refuse, sorted, with spaces between.
struct Pair {
  std::string name;
  std::array<Side, 2> sides;            // old, new
  std::array<std::string, 2> verdicts;  // new reads old, old reads new
};

struct Pairs {
  std::vector<Pair> pairs;
  std::vector<std::vector<std::string>> scalars;  // groups of types that read each other
};

inline std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

inline Pairs read_pairs(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("  "))
      lines.back() += line.substr(1);
    else
      lines.push_back(line);
  }
  Pairs out;
  std::size_t side = 0;
  for (const std::string& line : lines) {
    const std::string_view mark = std::string_view(line).substr(0, 3);
    const std::string rest = line.substr(std::min<std::size_t>(3, line.size()));
    if (line.starts_with("scalars ")) {
      out.scalars.emplace_back();
      for (const std::string& word : words(line.substr(8)))
        word == "|" ? static_cast<void>(out.scalars.emplace_back())
                    : out.scalars.back().push_back(word);
    } else if (mark == "== ") {
      out.pairs.push_back({.name = rest, .sides = {}, .verdicts = {}});
      side = 0;
    } else if (mark == "-- ") {
      EXPECT_LT(side, 2U) << line;
      out.pairs.back().sides[side++].text =
          rest.starts_with("syntax") ? rest : "syntax = \"proto3\"; package n; " + rest;
    } else if (mark == "-+ ") {
      const auto colon = rest.find(": ");
      out.pairs.back().sides[side - 1].imports.push_back(
          {rest.substr(0, colon), rest.substr(colon + 2)});
    } else if (mark == "-> ") {
      out.pairs.back().verdicts[0] = rest;
    } else if (mark == "<- ") {
      out.pairs.back().verdicts[1] = rest;
    } else {
      ADD_FAILURE() << "a line that says nothing: " << line;
    }
  }
  return out;
}

}  // namespace weir::contract::protobuf
