// A topic whose keys or values are generated structs in Avro's binary encoding, nothing around it.
#pragma once

#include <weir/avro.h>
#include <weir/topic.h>

namespace weir {
inline namespace v1 {

/// The codec of a struct with an avro::Contract.
template <class T>
class AvroCodec final : public Codec<T> {
 public:
  constexpr ~AvroCodec() override {}
  Result<void> encode(const T& value, std::string& out) const override {
    return avro::encode(value, out);
  }
  Result<T> decode(std::string_view bytes) const override { return avro::decode<T>(bytes); }
};
template <class T>
inline constexpr AvroCodec<T> avro_codec{};

}  // namespace v1
}  // namespace weir
