// Whatever bytes come to a generated codec: refused as libprotobuf refuses them, or written again
// as libprotobuf would. Byte 0 chooses the struct.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/protobuf/generated_kit.h"
#include "fuzz/harness.h"
#include "weir/prototest/everything.h"
#include "weir/prototest/old.h"
#include "weir/prototest/plain.h"

namespace {

using weir::check;
using weir::contract::protobuf::schema_of;
using weir::contract::protobuf::serialized;

// An empty element of a list is two bytes and a struct with all its fields; lists double.
template <class T>
constexpr std::size_t bytes_a_byte = 3 * sizeof(T);

std::unique_ptr<google::protobuf::Message> message_of(
    const weir::contract::protobuf::ProtobufSchema& schema, std::string_view name) {
  const auto* type = schema.graph().pool.FindMessageTypeByName(std::string(name));
  return std::unique_ptr<google::protobuf::Message>(
      schema.graph().factory.GetPrototype(type)->New());
}

/// `same`: the struct has all that the bytes may say.
template <class T>
void judge(std::string_view bytes, bool same) {
  const auto schema = schema_of<T>();
  const auto theirs = message_of(*schema, weir::protobuf::Contract<T>::full_name);
  const bool good = theirs->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  T value;
  const bool ours =
      weir::fuzz::bounded_by(bytes_a_byte<T> * bytes.size() + weir::fuzz::allocation_bound(0),
                             [&] { return weir::protobuf::decode(bytes, value).has_value(); });
  check(good || !ours, "what libprotobuf refuses is read");
  check(ours || !good || !same, "what libprotobuf reads is refused");
  if (!ours) return;
  weir::fuzz::canary(bytes.size() > 40);
  std::string written;
  check(weir::protobuf::encode(value, written).has_value(), "what was read cannot be written");
  T again;
  check(weir::protobuf::decode(written, again).has_value(), "what was written cannot be read");
  std::string twice;
  check(weir::protobuf::encode(again, twice).has_value() && twice == written,
        "a second writing differs");
  const auto back = message_of(*schema, weir::protobuf::Contract<T>::full_name);
  check(back->ParseFromString(written), "libprotobuf refuses what was written");
  weir::contract::protobuf::settle(*theirs);
  check(!same || serialized(*back) == serialized(*theirs), "libprotobuf reads something else");
}

}  // namespace

void weir::fuzz::input(std::string_view in) {
  if (in.empty()) return;
  const unsigned choice = static_cast<unsigned char>(in[0]) % 3;
  in.remove_prefix(1);
  // Everything has times, which may be out of their range; Old has text that only we check.
  if (choice == 0) judge<prototest::Plain>(in, true);
  if (choice == 1) judge<prototest::Everything>(in, false);
  if (choice == 2) judge<prototest::Old>(in, false);
}
