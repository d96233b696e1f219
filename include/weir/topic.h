// Topic<Key, Value>: what a stream is called, what kind of events it carries, how they are coded.
//
// | kind    | key     | value                          | what the last record of a key means |
// |---------|---------|--------------------------------|-------------------------------------|
// | unkeyed | none    | always                         | nothing                             |
// | keyed   | always  | always                         | nothing: each record is an event    |
// | entity  | always  | absent: the entity was deleted | the entity as it is now             |
//
// The kind is a part of the type, so that a compiler refuses a table made from an unkeyed stream.
#pragma once

#include <weir/record.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir {
inline namespace v1 {

enum class TopicKind : std::uint8_t { unkeyed, keyed, entity };

/// The key of an unkeyed stream.
struct NoKey {};

/// Turns values into bytes and back. Stateless to its users; threads: any, at the same time.
template <class T>
class Codec {
 public:
  constexpr virtual ~Codec() = default;
  /// Appends the bytes of `value` to `out`.
  virtual Result<void> encode(const T& value, std::string& out) const = 0;
  /// Errc::malformed, with the reason, if `bytes` are no T.
  virtual Result<T> decode(std::string_view bytes) const = 0;

  /// As encode(), for a codec that also tells something in a header of the record. The header's
  /// views live as long as the codec.
  virtual Result<std::optional<Header>> encode_record(const T& value, std::string& out) const {
    if (auto done = encode(value, out); !done) return fail(std::move(done.error()));
    return std::optional<Header>();
  }
  /// As decode(), for a codec that also looks at the record's headers.
  virtual Result<T> decode_record(std::string_view bytes, const HeaderRange& /*headers*/) const {
    return decode(bytes);
  }
};

/// Bytes as they are.
class StringCodec final : public Codec<std::string> {
 public:
  constexpr ~StringCodec() override {}
  Result<void> encode(const std::string& value, std::string& out) const override {
    out += value;
    return {};
  }
  Result<std::string> decode(std::string_view bytes) const override { return std::string(bytes); }
};
inline constexpr StringCodec string_codec{};

/// Eight bytes, big-endian, as Kafka's LongSerializer writes them.
class Int64Codec final : public Codec<std::int64_t> {
 public:
  constexpr ~Int64Codec() override {}
  Result<void> encode(const std::int64_t& value, std::string& out) const override {
    char bytes[8];
    for (unsigned i = 0; i < sizeof bytes; ++i)
      bytes[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (56 - 8 * i));
    out.append(bytes, sizeof bytes);
    return {};
  }
  Result<std::int64_t> decode(std::string_view bytes) const override {
    if (bytes.size() != 8)
      return fail(Errc::malformed, "int64: " + std::to_string(bytes.size()) + " bytes, want 8");
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
  }
};
inline constexpr Int64Codec int64_codec{};

/// A constant of the program: name and codecs outlive its use. Only keyed kinds have a key codec.
template <class Key, class Value,
          TopicKind topic_kind = std::is_same_v<Key, NoKey> ? TopicKind::unkeyed : TopicKind::keyed>
struct Topic {
  static_assert(std::is_same_v<Key, NoKey> == (topic_kind == TopicKind::unkeyed),
                "an unkeyed topic has NoKey as its key, the other kinds have another");
  using key_type = Key;
  using value_type = Value;
  static constexpr TopicKind kind = topic_kind;

  std::string_view name;
  const Codec<Value>* value_codec = nullptr;
  const Codec<Key>* key_codec = nullptr;
};
template <class Key, class Value>
using EntityTopic = Topic<Key, Value, TopicKind::entity>;
template <class Value>
using UnkeyedTopic = Topic<NoKey, Value, TopicKind::unkeyed>;

/// One decoded record: `for (const auto& [key, value, record] : batch.as(topic))`. What cannot be
/// decoded is an error value; `record` has the bytes.
template <class Key, class Value, TopicKind kind>
struct TypedRecord {
  Result<Key> key;
  /// Of an entity stream: an empty optional is a tombstone.
  Result<std::conditional_t<kind == TopicKind::entity, std::optional<Value>, Value>> value;
  RecordView record;
};

/// A batch seen through the codecs of a topic; lives no longer than batch and topic.
template <class Key, class Value, auto kind>
class TypedBatch {
 public:
  using Element = TypedRecord<Key, Value, kind>;
  class Iterator {
   public:
    using value_type = Element;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    Element operator*() const { return decode(*topic_, *at_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    friend class TypedBatch;
    Iterator(Batch::Iterator at, const Topic<Key, Value, kind>* topic) : at_(at), topic_(topic) {}
    Batch::Iterator at_;
    const Topic<Key, Value, kind>* topic_;
  };

  TypedBatch(const Batch& batch, const Topic<Key, Value, kind>& topic)
      : batch_(&batch), topic_(&topic) {}
  Iterator begin() const { return {batch_->begin(), topic_}; }
  Iterator end() const { return {batch_->end(), topic_}; }

 private:
  static Element decode(const Topic<Key, Value, kind>& topic, const RecordView& record) {
    return {decode_key(topic, record), decode_value(topic, record), record};
  }
  static Result<Key> decode_key(const Topic<Key, Value, kind>& topic, const RecordView& record) {
    if constexpr (kind == TopicKind::unkeyed) {
      return NoKey{};
    } else {
      if (!record.key()) return missing(topic, record, "key");
      return topic.key_codec->decode_record(*record.key(), record.headers());
    }
  }
  static decltype(Element::value) decode_value(const Topic<Key, Value, kind>& topic,
                                               const RecordView& record) {
    if (!record.value()) {
      if constexpr (kind == TopicKind::entity) return std::optional<Value>{};
      return missing(topic, record, "value");
    }
    auto value = topic.value_codec->decode_record(*record.value(), record.headers());
    if (!value) return fail(std::move(value.error()));
    return std::move(*value);
  }
  static auto missing(const Topic<Key, Value, kind>& topic, const RecordView& record,
                      std::string_view what) {
    return fail(Errc::malformed, std::string(topic.name) + ": the record at offset " +
                                     std::to_string(record.offset()) + " has no " +
                                     std::string(what));
  }

  const Batch* batch_;
  const Topic<Key, Value, kind>* topic_;
};

}  // namespace v1
}  // namespace weir
