// What generators of C++ take and give.
#pragma once

#include <string>

namespace weir::contract {

struct SchemaFile {
  std::string name;  // "contracts/order.avsc"
  std::string text;
};

struct GeneratedFile {
  std::string path;  // "shop/order.h": the namespace of its last type, the name of its file
  std::string text;
};

}  // namespace weir::contract
