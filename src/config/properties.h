// Kafka's settings files: `key=value` lines as java.util.Properties reads them.
//
//   # comment          ! comment
//   key=value          key: value          key value
//   long=one \         a backslash at the end continues the line, without the blanks that follow
//        two           \t \n \r \f \uXXXX and \ before any other character are escapes
#pragma once

#include <weir/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

struct Property {
  std::string name;
  std::string value;
  std::size_t line = 0;  // where it begins, from 1
};

/// The properties in their order. `origin` names the file in messages. Unlike Java, a name that
/// comes twice is refused (invalid_setting), because one of the two is a mistake.
Result<std::vector<Property>> read_properties(std::string_view text, std::string_view origin);

}  // namespace weir::config
