// Random values of any message, for tests.
#pragma once

#include <google/protobuf/text_format.h>

#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "contract/protobuf/graph.h"

namespace weir::contract::protobuf {

inline std::unique_ptr<pb::Message> empty_message(const ProtobufSchema& schema,
                                                  std::string_view name) {
  const auto* type = schema.graph().pool.FindMessageTypeByName(std::string(name));
  return std::unique_ptr<pb::Message>(schema.graph().factory.GetPrototype(type)->New());
}

/// Small numbers, large ones, the ends of the range.
template <class T>
T random_number(Rng& rng) {
  using Limits = std::numeric_limits<T>;
  switch (rng.below(6)) {
    case 0: return Limits::max();
    case 1: return Limits::lowest();
    case 2: return static_cast<T>(rng.below(3));
    case 3: return static_cast<T>(rng.below(300));
    default:
      if constexpr (Limits::is_integer)
        return static_cast<T>(rng.next());
      else
        return static_cast<T>(rng.between(-1'000'000, 1'000'000)) / T{64};
  }
}

inline std::string random_text(Rng& rng) {
  constexpr std::string_view parts[] = {"", "a", "Ü", "\n", "€", "longer text, ", "0"};
  std::string out;
  for (auto count = rng.below(4); count != 0; --count) out += parts[rng.below(std::size(parts))];
  return out;
}

inline void fill(pb::Message& message, Rng& rng, int depth);

/// Sets a field, or adds a value to it.
inline void fill_field(pb::Message& message, const pb::FieldDescriptor& field, Rng& rng,
                       int depth) {
  using Field = pb::FieldDescriptor;
  const auto* reflection = message.GetReflection();
  const auto put = [&](auto set, auto add, auto value) {
    field.is_repeated() ? (reflection->*add)(&message, &field, value)
                        : (reflection->*set)(&message, &field, value);
  };
  using R = pb::Reflection;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return put(&R::SetInt32, &R::AddInt32, random_number<std::int32_t>(rng));
    case Field::CPPTYPE_INT64:
      return put(&R::SetInt64, &R::AddInt64, random_number<std::int64_t>(rng));
    case Field::CPPTYPE_UINT32:
      return put(&R::SetUInt32, &R::AddUInt32, random_number<std::uint32_t>(rng));
    case Field::CPPTYPE_UINT64:
      return put(&R::SetUInt64, &R::AddUInt64, random_number<std::uint64_t>(rng));
    case Field::CPPTYPE_FLOAT: return put(&R::SetFloat, &R::AddFloat, random_number<float>(rng));
    case Field::CPPTYPE_DOUBLE:
      return put(&R::SetDouble, &R::AddDouble, random_number<double>(rng));
    case Field::CPPTYPE_BOOL: return put(&R::SetBool, &R::AddBool, rng.below(2) != 0);
    case Field::CPPTYPE_ENUM: {
      const auto* type = field.enum_type();
      const auto index = rng.below(static_cast<std::uint64_t>(type->value_count()));
      return put(&R::SetEnumValue, &R::AddEnumValue,
                 type->value(static_cast<int>(index))->number());
    }
    case Field::CPPTYPE_STRING:
      if (field.is_repeated()) return reflection->AddString(&message, &field, random_text(rng));
      return reflection->SetString(&message, &field, random_text(rng));
    default:
      fill(field.is_repeated() ? *reflection->AddMessage(&message, &field)
                               : *reflection->MutableMessage(&message, &field),
           rng, depth + 1);
  }
}

/// A time that fits 64 bits of nanoseconds; a duration's parts have one sign.
inline void fill_moment(pb::Message& message, Rng& rng) {
  const bool forward = message.GetDescriptor()->name() == "Timestamp";
  const std::int64_t seconds = rng.between(-9'000'000'000, 9'000'000'000);
  const auto nanos = static_cast<std::int32_t>(rng.below(1'000'000'000));
  const auto* reflection = message.GetReflection();
  reflection->SetInt64(&message, message.GetDescriptor()->field(0), seconds);
  reflection->SetInt32(&message, message.GetDescriptor()->field(1),
                       seconds < 0 && !forward ? -nanos : nanos);
}

inline void fill(pb::Message& message, Rng& rng, int depth) {
  const auto* type = message.GetDescriptor();
  if (type->full_name() == "google.protobuf.Timestamp" ||
      type->full_name() == "google.protobuf.Duration")
    return fill_moment(message, rng);
  for (int i = 0; i < type->field_count(); ++i) {
    const auto& field = *type->field(i);
    const bool wanted = field.is_required() || type->options().map_entry() || rng.below(3) != 0;
    if (!wanted || (depth > 3 && field.message_type() != nullptr && !field.is_required())) continue;
    std::set<std::string> keys;
    for (auto count = field.is_repeated() ? rng.below(4) : 1; count != 0; --count) {
      fill_field(message, field, rng, depth);
      if (!field.is_map()) continue;
      // No key twice: which value then counts depends on how the message is held.
      const auto* reflection = message.GetReflection();
      std::string key;
      pb::TextFormat::PrintFieldValueToString(
          reflection->GetRepeatedMessage(message, &field,
                                         reflection->FieldSize(message, &field) - 1),
          field.message_type()->map_key(), -1, &key);
      if (!keys.insert(key).second) reflection->RemoveLast(&message, &field);
    }
  }
}

inline std::unique_ptr<pb::Message> random_message(const ProtobufSchema& schema,
                                                   std::string_view name, Rng& rng) {
  auto out = empty_message(schema, name);
  fill(*out, rng, 0);
  return out;
}

}  // namespace weir::contract::protobuf
