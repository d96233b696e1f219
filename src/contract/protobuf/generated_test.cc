// Generated code against libprotobuf's dynamic messages, both ways.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include "contract/protobuf/generated_kit.h"
#include "contract/protobuf/random_message.h"
#include "contract/protobuf/test_kit.h"
#include "weir/prototest/everything.h"
#include "weir/prototest/form/names.h"
#include "weir/prototest/old.h"
#include "weir/prototest/plain.h"

namespace weir::contract::protobuf {
namespace {

using prototest::Everything;
using prototest::Left;
using prototest::Old;
using prototest::Plain;

template <class T>
std::string encoded(const T& value) {
  std::string out;
  const auto done = weir::protobuf::encode(value, out);
  EXPECT_TRUE(done) << (done ? "" : done.error().message());
  return out;
}
template <class T>
std::string decode_error(std::string_view hex) {
  T out;
  const auto done = weir::protobuf::decode(from_hex(hex), out);
  return done ? "" : done.error().message();
}

template <class T>
void expect_same_bytes(std::uint64_t seed, int rounds) {
  Rng rng(seed);
  const ProtobufPtr of = schema_of<T>();
  const std::string name(weir::protobuf::Contract<T>::full_name);
  T reused;
  for (int i = 0; i < rounds; ++i) {
    const auto message = random_message(*of, name, rng);
    const std::string bytes = serialized(*message);
    const auto value = weir::protobuf::decode<T>(bytes);
    ASSERT_TRUE(value) << value.error().message() << '\n' << message->DebugString();
    ASSERT_EQ(to_hex(encoded(*value)), to_hex(bytes)) << message->DebugString();
    ASSERT_TRUE(weir::protobuf::decode(bytes, reused));
    EXPECT_EQ(reused, *value) << "something is left of what was there before";
  }
}

TEST(ProtobufGenerated, structs_write_what_libprotobuf_writes) {
  expect_same_bytes<Everything>(1, 300);
  expect_same_bytes<Left>(2, 300);
  expect_same_bytes<Plain>(3, 500);
  expect_same_bytes<prototest::Everything::Inner>(4, 200);
  expect_same_bytes<prototest::form::class_>(5, 200);
}

TEST(ProtobufGenerated, structs_of_proto2_write_what_libprotobuf_writes_and_keep_groups) {
  Rng rng(5);
  const ProtobufPtr of = schema_of<Old>();
  for (int i = 0; i < 300; ++i) {
    const auto message = random_message(*of, "weir.prototest.Old", rng);
    const auto value = weir::protobuf::decode<Old>(serialized(*message));
    ASSERT_TRUE(value) << value.error().message();
    // Groups come last, as all that the struct lacks: libprotobuf sorts that out.
    const auto again = empty_message(*of, "weir.prototest.Old");
    ASSERT_TRUE(again->ParseFromString(encoded(*value)));
    ASSERT_EQ(serialized(*again), serialized(*message)) << message->DebugString();
  }
}

TEST(ProtobufGenerated, packed_and_unpacked_are_both_read) {
  // The same fields, packed where the struct writes them unpacked and the other way round.
  std::string text(weir::protobuf::Contract<Plain>::schema());
  for (const std::string_view field :
       {"int64 k = 11", "fixed64 l = 12", "Kind v = 21", "bool z = 25"})
    text.insert(text.find(field) + field.size(), " [packed = false]");
  const ProtobufPtr unpacked = schema(text);
  Rng rng(6);
  for (int i = 0; i < 200; ++i) {
    const auto message = random_message(*unpacked, "weir.prototest.Plain", rng);
    const auto value = weir::protobuf::decode<Plain>(serialized(*message));
    ASSERT_TRUE(value) << value.error().message();
    const auto same = empty_message(*schema_of<Plain>(), "weir.prototest.Plain");
    ASSERT_TRUE(same->ParseFromString(serialized(*message)));
    EXPECT_EQ(encoded(*value), serialized(*same));
  }
}

TEST(ProtobufGenerated, what_the_schema_lacks_is_kept_and_written_again) {
  Rng rng(7);
  for (int i = 0; i < 100; ++i) {
    const std::string bytes =
        serialized(*random_message(*schema_of<Everything>(), "weir.prototest.Everything", rng));
    EXPECT_EQ(encoded(weir::protobuf::decode<prototest::Empty>(bytes).value()), bytes);
  }
  // A group with a group inside, and a field of another wire type.
  EXPECT_EQ(
      to_hex(encoded(
          weir::protobuf::decode<Plain>(from_hex("08017b83010805840178017c0d01020304")).value())),
      "08017b83010805840178017c0d01020304");
}

TEST(ProtobufGenerated, a_closed_enum_keeps_what_it_does_not_know_among_the_unknown_fields) {
  // id, fruit 9, fruits 1 9, packed 2 9, by_name {"a": 9}, single 9, must, best.
  const std::string bytes = from_hex(
      "0801"
      "1809"
      "2001"
      "2009"
      "2a020209"
      "32050a01611009"
      "3809"
      "6a030a0177"
      "7802");
  const auto value = weir::protobuf::decode<Old>(bytes).value();
  EXPECT_FALSE(value.fruit.has_value());
  EXPECT_EQ(value.fruits, std::vector{Old::Fruit::APPLE});
  EXPECT_EQ(value.packed_fruits, std::vector{Old::Fruit::PEAR});
  EXPECT_TRUE(value.by_name.empty());
  EXPECT_EQ(value.one.index(), 0U);
  EXPECT_EQ(to_hex(value.unknown_fields.bytes), "18092009280932050a016110093809");
  // libprotobuf says the same, but for maps, where its dynamic messages differ from its own code.
  const std::string no_map = bytes.substr(0, 11) + bytes.substr(18);
  const auto theirs = empty_message(*schema_of<Old>(), "weir.prototest.Old");
  ASSERT_TRUE(theirs->ParseFromString(no_map));
  EXPECT_EQ(to_hex(encoded(weir::protobuf::decode<Old>(no_map).value())),
            to_hex(serialized(*theirs)));
}

TEST(ProtobufGenerated, an_open_enum_keeps_every_number) {
  const auto value = weir::protobuf::decode<Plain>(from_hex("4063")).value();
  EXPECT_EQ(static_cast<int>(value.h), 99);
  EXPECT_EQ(to_string(value.h), "");
  EXPECT_EQ(to_hex(encoded(value)), "4063");
  EXPECT_EQ(to_string(Everything::Color::ROT), "RED");
  Everything::Color color{};
  EXPECT_TRUE(from_string("ROT", color));
  EXPECT_EQ(color, Everything::Color::RED);
  EXPECT_FALSE(from_string("GREEN", color));
  EXPECT_FALSE(is_known(static_cast<Everything::Color>(7)));
}

TEST(ProtobufGenerated, the_last_member_of_a_oneof_counts_and_messages_are_joined) {
  const auto last = weir::protobuf::decode<Plain>(from_hex("9001059a010161")).value();
  ASSERT_NE(std::get_if<Plain::t>(&last.r), nullptr);
  EXPECT_EQ(std::get_if<Plain::t>(&last.r)->value, "a");
  const auto joined = weir::protobuf::decode<Plain>(from_hex("5202080152021004")).value();
  EXPECT_EQ(joined.j->a, 1);
  EXPECT_EQ(joined.j->b, 2);
  const auto in_oneof =
      weir::protobuf::decode<Plain>(from_hex("a2010208019a010161a201021004")).value();
  EXPECT_EQ(std::get_if<Plain::u>(&in_oneof.r)->value->a, 0);
  EXPECT_EQ(std::get_if<Plain::u>(&in_oneof.r)->value->b, 2);
}

TEST(ProtobufGenerated, of_equal_keys_the_last_counts_and_what_lacks_is_zero) {
  const auto value = weir::protobuf::decode<Plain>(from_hex("7a05080112016"
                                                            "17a0508011201627a00"))
                         .value();
  EXPECT_EQ(value.o, (std::map<std::int32_t, std::string>{{0, ""}, {1, "b"}}));
}

TEST(ProtobufGenerated, malformed_bytes_are_refused_with_their_place) {
  EXPECT_EQ(decode_error<Plain>("08"), "protobuf: weir.prototest.Plain: malformed at byte 1 of 1");
  EXPECT_EQ(decode_error<Plain>("00"), "protobuf: weir.prototest.Plain: malformed at byte 1 of 1");
  EXPECT_EQ(decode_error<Plain>("2a0180"),
            "protobuf: weir.prototest.Plain: malformed at byte 1 of 3");
  EXPECT_EQ(decode_error<Plain>("2a0561"),
            "protobuf: weir.prototest.Plain: malformed at byte 2 of 3");
  EXPECT_NE(decode_error<Plain>("52022a05"), "");
  EXPECT_NE(decode_error<Plain>("7c"), "") << "the end of a group that was not begun";
  EXPECT_NE(decode_error<Plain>("7b"), "") << "a group without its end";
  EXPECT_NE(decode_error<Plain>("7b8401"), "") << "a group with the end of another";
  EXPECT_NE(decode_error<Plain>("0f"), "") << "there is no wire type 7";
  EXPECT_NE(decode_error<Plain>("08ffffffffffffffffffff01"), "") << "eleven bytes";
  EXPECT_NE(decode_error<Plain>("888080808000"), "") << "a tag of six bytes";
  EXPECT_NE(decode_error<Plain>("62070000000000000000"), "") << "packed fixed64 of seven bytes";
  EXPECT_NE(decode_error<Plain>("5affffffff0f01"), "") << "a length beyond the payload";
  EXPECT_NE(decode_error<Old>("0801"), "") << "what is required is not there";
  EXPECT_NE(decode_error<Everything>("e2030b08ffffffffffffffff7f1001"), "")
      << "a time beyond 64 bits";
}

TEST(ProtobufGenerated, depth_is_bounded_both_ways) {
  const auto nested = [](int depth) {
    Plain out;
    for (int i = 0; i < depth; ++i) {
      Plain outer;
      outer.j.emplace() = std::move(out);
      out = std::move(outer);
    }
    return out;
  };
  const std::string deep = encoded(nested(100));
  EXPECT_TRUE(weir::protobuf::decode<Plain>(deep));
  std::string out = "as it was";
  const auto done = weir::protobuf::encode(nested(101), out);
  EXPECT_EQ(done.error().code(), Errc::invalid_argument);
  EXPECT_EQ(done.error().message(),
            "protobuf: weir.prototest.Plain: it cannot be written: messages more than 100 deep");
  EXPECT_EQ(out, "as it was");
  // One more around it: a run of field 10.
  std::string deeper = "\x52";
  for (std::size_t size = deep.size(); size != 0 || deeper.size() == 1; size >>= 7U)
    deeper += static_cast<char>((size & 127U) | (size >= 128 ? 128U : 0U));
  EXPECT_FALSE(weir::protobuf::decode<Plain>(deeper + deep));
  std::string groups;
  for (int i = 0; i < 101; ++i) groups = "\x7b" + groups + "\x7c";
  EXPECT_FALSE(weir::protobuf::decode<Plain>(groups));
  EXPECT_TRUE(weir::protobuf::decode<Plain>(groups.substr(1, 200)));
}

TEST(ProtobufGenerated, what_has_no_encoding_is_refused) {
  std::string out;
  Plain text;
  text.m = {"good", "\x80"};
  EXPECT_EQ(weir::protobuf::encode(text, out).error().message(),
            "protobuf: weir.prototest.Plain: it cannot be written: text that is not UTF-8");
  Plain empty;
  empty.r = Plain::u{};
  EXPECT_EQ(weir::protobuf::encode(empty, out).error().message(),
            "protobuf: weir.prototest.Plain: it cannot be written: a oneof with an empty Box");
  EXPECT_EQ(out, "");
}

TEST(ProtobufGenerated, times_are_nanoseconds) {
  using namespace std::chrono;
  Everything value;
  value.at = sys_time<nanoseconds>(nanoseconds(-1));
  value.took = nanoseconds(-1'500'000'000);
  value.times = {sys_time<nanoseconds>(nanoseconds(INT64_MIN)),
                 sys_time<nanoseconds>(nanoseconds(INT64_MAX))};
  const std::string bytes = encoded(value);
  const auto message = empty_message(*schema_of<Everything>(), "weir.prototest.Everything");
  ASSERT_TRUE(message->ParseFromString(bytes));
  EXPECT_TRUE(contains(message->ShortDebugString(), "at { seconds: -1 nanos: 999999999 }"));
  EXPECT_TRUE(contains(message->ShortDebugString(), "took { seconds: -1 nanos: -500000000 }"));
  EXPECT_EQ(weir::protobuf::decode<Everything>(bytes).value(), value);
}

TEST(ProtobufGenerated, a_struct_knows_its_schema_and_its_place_in_it) {
  using weir::protobuf::Contract;
  EXPECT_EQ(Contract<Everything::Inner::Deep>::full_name, "weir.prototest.Everything.Inner.Deep");
  for (const auto& [name, indexes] :
       {std::pair(Contract<Everything>::full_name, Contract<Everything>::message_indexes()),
        std::pair(Contract<Everything::Inner::Deep>::full_name,
                  Contract<Everything::Inner::Deep>::message_indexes()),
        std::pair(Contract<prototest::Empty>::full_name,
                  Contract<prototest::Empty>::message_indexes())}) {
    EXPECT_EQ(schema_of<Everything>()->full_name(indexes).value(), name);
  }
  ASSERT_EQ(Contract<Everything>::imports().size(), 1U);
  EXPECT_EQ(Contract<Everything>::imports()[0].name, "common.proto");
  EXPECT_TRUE(Contract<Plain>::imports().empty());
  EXPECT_EQ(schema_of<Everything>()->text(), Contract<Everything>::schema());
  EXPECT_EQ(prototest::everything.name, "everything");
  std::string out;
  EXPECT_TRUE(prototest::everything.value_codec->encode({.a_int32 = 5}, out));
  EXPECT_EQ(to_hex(out), "0805");
}

}  // namespace
}  // namespace weir::contract::protobuf
