// A topic whose values are generated structs as JSON, nothing around it.
#pragma once

#include <weir/json_schema.h>
#include <weir/topic.h>

namespace weir {
inline namespace v1 {

/// The codec of a struct with a json_schema::Contract.
template <class T>
class JsonCodec final : public Codec<T> {
 public:
  constexpr ~JsonCodec() override {}
  Result<void> encode(const T& value, std::string& out) const override {
    return json_schema::to_json(value, out);
  }
  Result<T> decode(std::string_view bytes) const override {
    return json_schema::from_json<T>(bytes);
  }
};
template <class T>
inline constexpr JsonCodec<T> json_codec{};

}  // namespace v1
}  // namespace weir
