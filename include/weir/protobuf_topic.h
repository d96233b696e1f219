// A topic whose keys or values are generated structs in Protobuf's encoding, nothing around it.
#pragma once

#include <weir/protobuf.h>
#include <weir/topic.h>

namespace weir {
inline namespace v1 {

/// The codec of a struct with a protobuf::Contract.
template <class T>
class ProtobufCodec final : public Codec<T> {
 public:
  constexpr ~ProtobufCodec() override {}
  Result<void> encode(const T& value, std::string& out) const override {
    return protobuf::encode(value, out);
  }
  Result<T> decode(std::string_view bytes) const override { return protobuf::decode<T>(bytes); }
};
template <class T>
inline constexpr ProtobufCodec<T> protobuf_codec{};

}  // namespace v1
}  // namespace weir
