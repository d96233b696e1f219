// Pairs of schemas for the fuzz targets: every kind, skips, promotions, recursion, empty elements.
#pragma once

#include <string_view>

#include "contract/avro/plan.h"
#include "contract/avro/schema.h"

namespace weir::contract::avro {

inline constexpr std::string_view fuzz_writers[] = {
    R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"s","type":"string"},
        {"name":"u","type":["null","R",{"type":"array","items":"R"},{"type":"map","values":["int","bytes"]}]},
        {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B","C"]}},
        {"name":"f","type":{"type":"fixed","name":"F","size":3}},{"name":"d","type":"double"},
        {"name":"b","type":"boolean"},{"name":"x","type":"float"},{"name":"y","type":"bytes"}]})",
    R"({"type":"array","items":"null"})",
    R"({"type":"map","values":{"type":"array","items":{"type":"record","name":"Empty","fields":[]}}})",
    R"({"type":"record","name":"L","fields":[{"name":"v","type":"long"},{"name":"next","type":["null","L"]}]})",
    R"({"type":"array","items":{"type":"array","items":{"type":"array","items":"boolean"}}})",
    R"({"type":"record","name":"S","fields":[{"name":"a","type":{"type":"array","items":"string"}},
        {"name":"m","type":{"type":"map","values":{"type":"array","items":"long"}}},{"name":"v","type":"int"}]})"};

inline constexpr std::string_view fuzz_readers[] = {
    R"({"type":"record","name":"R","fields":[{"name":"y","type":"string"},{"name":"a","type":"double"},
        {"name":"u","type":["null","R",{"type":"array","items":"R"},{"type":"map","values":["long","string"]}]},
        {"name":"e","type":{"type":"enum","name":"E","symbols":["C","D"],"default":"D"}},
        {"name":"n","type":{"type":"map","values":"int"},"default":{"k":1}}]})",
    R"({"type":"array","items":["null","int"]})",
    R"({"type":"map","values":{"type":"array","items":{"type":"record","name":"Empty","fields":[
        {"name":"z","type":"string","default":"zz"}]}}})",
    R"({"type":"record","name":"L","fields":[{"name":"v","type":"float"}]})",
    R"({"type":"array","items":{"type":"array","items":{"type":"array","items":["string","boolean"]}}})",
    R"({"type":"record","name":"S","fields":[{"name":"v","type":"int"}]})"};

inline constexpr std::size_t fuzz_pairs = std::size(fuzz_writers);

}  // namespace weir::contract::avro
