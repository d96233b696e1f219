// What a verdict means: data of the old schema is read by the new one without anything falling
// aside that both have.
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/rng.h"
#include "contract/protobuf/compatibility.h"
#include "contract/protobuf/graph.h"
#include "contract/protobuf/random_message.h"
#include "contract/protobuf/test_kit.h"

namespace weir::contract::protobuf {
namespace {

/// Fields of message A by number; text of their declarations.
struct Draft {
  struct Member {
    int number;
    std::string type;
    std::string label;  // "", "optional ", "repeated "
    int oneof;          // 0: none
  };
  std::vector<Member> members;

  std::string text() const {
    std::string out =
        "syntax = \"proto3\"; package n; enum E { ZERO = 0; ONE = 1; }\n"
        "message B { int32 x = 1; string s = 2; } message C { B b = 1; double d = 2; }\n"
        "message A {\n";
    for (const Member& one : members)
      if (one.oneof == 0)
        out += one.label + one.type + " f" + std::to_string(one.number) + " = " +
               std::to_string(one.number) + ";\n";
    for (const int group : {1, 2}) {
      std::string inside;
      for (const Member& one : members)
        if (one.oneof == group)
          inside += one.type + " f" + std::to_string(one.number) + " = " +
                    std::to_string(one.number) + ";\n";
      if (!inside.empty()) out += "oneof o" + std::to_string(group) + " {\n" + inside + "}\n";
    }
    return out + "}\n";
  }
};

constexpr std::string_view types[] = {"int32",
                                      "int64",
                                      "uint32",
                                      "uint64",
                                      "bool",
                                      "E",
                                      "sint32",
                                      "sint64",
                                      "string",
                                      "bytes",
                                      "fixed32",
                                      "sfixed32",
                                      "fixed64",
                                      "sfixed64",
                                      "float",
                                      "double",
                                      "B",
                                      "C",
                                      "A",
                                      "map<string, int32>",
                                      "map<int64, B>",
                                      "map<string, bytes>"};

Draft::Member random_member(Rng& rng, int number) {
  Draft::Member out{number, std::string(types[rng.below(std::size(types))]), "", 0};
  if (out.type.starts_with("map")) return out;
  const auto kind = rng.below(6);
  if (kind == 0) out.label = "optional ";
  if (kind == 1) out.label = "repeated ";
  if (kind == 2 || kind == 3) out.oneof = static_cast<int>(kind) - 1;
  return out;
}

Draft random_draft(Rng& rng) {
  Draft out;
  for (int number = 1; number <= 8; ++number)
    if (rng.below(3) != 0) out.members.push_back(random_member(rng, number));
  return out;
}

/// One step of evolution, allowed or not.
void mutate(Draft& draft, Rng& rng) {
  const auto what = rng.below(5);
  if (draft.members.empty() || what == 0) {
    const int number = static_cast<int>(rng.below(12)) + 1;
    for (const auto& one : draft.members)
      if (one.number == number) return;
    draft.members.push_back(random_member(rng, number));
    return;
  }
  const auto index = rng.below(draft.members.size());
  auto& one = draft.members[index];
  if (what == 1) {
    draft.members.erase(draft.members.begin() + static_cast<std::ptrdiff_t>(index));
    return;
  }
  if (what == 2) one.type = random_member(rng, one.number).type;
  if (what == 3 && !one.type.starts_with("map")) {
    one.oneof = static_cast<int>(rng.below(3));
    if (one.oneof != 0) one.label.clear();
  }
  if (what == 4) one = random_member(rng, one.number);
  if (one.type.starts_with("map")) {
    one.label.clear();
    one.oneof = 0;
  }
}

/// The known hole: where no label is written on both sides, one value and several are not told
/// apart, and numbers among several are packed into a run.
bool in_the_hole(const pb::FieldDescriptor& is, const pb::FieldDescriptor& was) {
  return is.is_repeated() != was.is_repeated();
}

/// Fields that both have and that were set must be known, and be of as many values.
void expect_read(const pb::Message& is, const pb::Message& was, const std::string& pair) {
  const auto* now = is.GetReflection();
  const auto* old = was.GetReflection();
  std::vector<const pb::FieldDescriptor*> set;
  old->ListFields(was, &set);
  for (const pb::FieldDescriptor* field : set) {
    const auto* same = is.GetDescriptor()->FindFieldByNumber(field->number());
    if (same == nullptr || in_the_hole(*same, *field)) continue;
    const auto& unknown = now->GetUnknownFields(is);
    for (int i = 0; i < unknown.field_count(); ++i)
      EXPECT_NE(unknown.field(i).number(), field->number()) << field->name() << '\n' << pair;
    if (field->is_repeated()) {
      EXPECT_EQ(now->FieldSize(is, same), old->FieldSize(was, field)) << pair;
      continue;
    }
    // A value that is zero as the new type is there all the same where presence is told.
    if (same->has_presence()) {
      EXPECT_TRUE(now->HasField(is, same)) << same->name() << '\n' << pair;
    }
    if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
      EXPECT_EQ(now->GetString(is, same), old->GetString(was, field)) << pair;
    }
    if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE)
      expect_read(now->GetMessage(is, same), old->GetMessage(was, field), pair);
  }
}

TEST(ProtobufProperty, what_is_judged_compatible_is_read) {
  Rng rng(8);
  std::size_t compatible = 0;
  std::size_t refused = 0;
  for (int round = 0; round < 600; ++round) {
    Draft old_draft = random_draft(rng);
    Draft new_draft = old_draft;
    for (auto steps = rng.below(3) + 1; steps != 0; --steps) mutate(new_draft, rng);
    const auto old = schema(old_draft.text());
    const auto now = schema(new_draft.text());
    ASSERT_TRUE(old && now);
    if (!compare(*now, *old).value().empty()) {
      ++refused;
      continue;
    }
    ++compatible;
    const std::string pair = old->text() + "\n->\n" + now->text();
    for (int values = 0; values < 8; ++values) {
      const auto written = random_message(*old, "n.A", rng);
      const auto read = empty_message(*now, "n.A");
      const std::string bytes = written->SerializeAsString();
      ASSERT_TRUE(read->ParseFromString(bytes)) << pair;
      expect_read(*read, *written, pair);
    }
  }
  EXPECT_GT(compatible, 100U);
  EXPECT_GT(refused, 100U);
}

TEST(ProtobufProperty, what_differs_in_kind_is_not_read) {
  // The other side of the property: for each pair of scalars that do not read each other some value
  // is lost or becomes another, so that the rule is not stricter than bytes are.
  const std::vector<std::vector<std::string>> groups = {
      {"int32"}, {"sint32"}, {"string"}, {"fixed32"}, {"fixed64"}, {"float"}, {"double"}};
  Rng rng(9);
  for (const auto& was : groups) {
    for (const auto& is : groups) {
      if (was == is) continue;
      const auto old = schema(proto3("message A { " + was[0] + " x = 1; }"));
      const auto now = schema(proto3("message A { " + is[0] + " x = 1; }"));
      bool lost = false;
      for (int i = 0; i < 100 && !lost; ++i) {
        const auto written = random_message(*old, "n.A", rng);
        const auto read = empty_message(*now, "n.A");
        lost = !read->ParseFromString(written->SerializeAsString()) ||
               read->ShortDebugString() != written->ShortDebugString();
      }
      EXPECT_TRUE(lost) << was[0] << " read as " << is[0];
    }
  }
}

}  // namespace
}  // namespace weir::contract::protobuf
