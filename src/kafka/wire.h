// The wire types of the Kafka protocol: a decoder that never reads past its bytes, and an encoder
// that leaves room for record batches which travel beside it.
//
// Both latch their first error: after it a decoder gives zeros and empty values, so that callers
// check once, at the end. "Flexible" versions write lengths as unsigned varints of length + 1 and
// end each struct with tagged fields.
#pragma once

#include <weir/result.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/varint.h"

namespace weir::kafka {

/// Memory that the arrays of one decoded message may take at most, whatever its size.
inline constexpr std::size_t decoded_message_bytes = 64U * 1024 * 1024;
/// Memory that the arrays of a message of `bytes` may take; more is refused. Elements without
/// content take up to fifty times their bytes when decoded, and a client could fill a frame with
/// them. Those that say something stay below eight times: the largest, a partition of a Fetch
/// response, takes 250 bytes for 30. What many groups or topics of one letter need beyond that is
/// given to every message.
constexpr std::size_t decoded_memory(std::size_t bytes) {
  return std::min(decoded_message_bytes, 8 * bytes + 60U * 1024);
}
/// First flexible version of messages that have none.
inline constexpr std::int16_t never_flexible = 0x7fff;

/// A tagged field that this version of weir does not know; its bytes borrow from the frame.
struct TaggedField {
  std::uint32_t tag = 0;
  std::string_view bytes;
  bool operator==(const TaggedField&) const = default;
};

/// Unknown tagged fields of one struct, in ascending order; one pointer when there are none.
class TaggedFields {
 public:
  TaggedFields() = default;
  TaggedFields(const TaggedFields& other)
      : fields_(other.fields_ ? std::make_unique<Fields>(*other.fields_) : nullptr) {}
  TaggedFields(TaggedFields&&) noexcept = default;
  TaggedFields& operator=(TaggedFields other) noexcept {
    fields_ = std::move(other.fields_);
    return *this;
  }
  ~TaggedFields() = default;
  bool operator==(const TaggedFields& other) const;
  std::size_t size() const { return fields_ ? fields_->size() : 0; }
  /// What adding one more may take, beside what was taken for those before.
  std::size_t memory_of_next() const { return growth_bytes + (fields_ ? 0 : sizeof(Fields)); }
  const TaggedField* begin() const { return fields_ ? fields_->data() : nullptr; }
  const TaggedField* end() const { return fields_ ? fields_->data() + fields_->size() : nullptr; }
  void add(TaggedField field);

 private:
  using Fields = std::vector<TaggedField>;
  // A vector that doubles holds its old block and the new one while it moves: three fields for one.
  static constexpr std::size_t growth_bytes = 3 * sizeof(TaggedField);
  std::unique_ptr<Fields> fields_;
};

/// Strings that live as long as the message that keeps them. Moving it leaves every view valid;
/// it cannot be copied, because the copy's views would still point here.
class KeptStrings {
 public:
  std::string_view keep(std::string text) { return strings_.emplace_front(std::move(text)); }
  KeptStrings() = default;
  KeptStrings(KeptStrings&&) noexcept = default;
  KeptStrings& operator=(KeptStrings&&) noexcept = default;
  KeptStrings(const KeptStrings&) = delete;
  KeptStrings& operator=(const KeptStrings&) = delete;
  ~KeptStrings() = default;

 private:
  std::forward_list<std::string> strings_;
};

/// The record batches of a Produce request or a Fetch response: absent, a view of bytes, or (when
/// encoding) only a size, for bytes that are sent from where they lie.
class Records {
 public:
  Records() = default;  // null
  explicit Records(std::string_view bytes) : bytes_(bytes), size_(bytes.size()), null_(false) {}
  /// `size` bytes that the sender splices in at the position that the encoder notes.
  static Records external(std::size_t size) {
    Records r;
    r.size_ = size;
    r.null_ = false;
    r.external_ = true;
    return r;
  }
  bool is_null() const { return null_; }
  bool is_external() const { return external_; }
  std::size_t size() const { return size_; }
  /// Empty if null or external.
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
  std::size_t size_ = 0;
  bool null_ = true;
  bool external_ = false;
};

/// Reads one message body. Every view it returns borrows from the bytes given.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : Decoder(bytes, decoded_memory(bytes.size())) {}
  Decoder(std::string_view bytes, std::size_t memory_limit)
      : begin_(bytes.data()), p_(begin_), end_(begin_ + bytes.size()), memory_left_(memory_limit) {}

  bool ok() const { return !failed_; }
  /// The first error: what was wrong with which field, at which byte. Errc::malformed.
  Result<void> status() const;
  /// Bytes not read yet; zero after an error.
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - p_); }
  std::string_view rest() const { return {p_, remaining()}; }
  /// True if the whole input was read without an error; bytes left over are one.
  bool finish();

  template <class T>
  T integer(const char* field) {
    if (remaining() < sizeof(T)) [[unlikely]] {
      cut_short(field, sizeof(T));
      return 0;
    }
    T value;
    if constexpr (sizeof(T) == 1) {
      value = static_cast<T>(*p_);
    } else {
      value = load_be<T>(p_);
    }
    p_ += sizeof(T);
    return value;
  }
  bool boolean(const char* field) { return integer<std::int8_t>(field) != 0; }
  double float64(const char* field) { return std::bit_cast<double>(integer<std::uint64_t>(field)); }
  Uuid uuid(const char* field);
  std::uint32_t uvarint(const char* field);

  /// Refuses null.
  std::string_view string(bool flexible, const char* field);
  std::optional<std::string_view> nullable_string(bool flexible, bool nullable, const char* field);
  std::string_view bytes(bool flexible, const char* field);
  std::optional<std::string_view> nullable_bytes(bool flexible, bool nullable, const char* field);
  Records records(bool flexible, bool nullable, const char* field);

  /// The count of an array, -1 for null. Refused (then 0) unless `count` elements of at least
  /// `min_element` bytes can follow, and `count` of `memory` bytes each may be allocated.
  std::ptrdiff_t array_count(bool flexible, bool nullable, std::size_t min_element,
                             std::size_t memory, const char* field);
  void elements(std::vector<std::int8_t>& out, std::ptrdiff_t count, bool flexible,
                const char* field);
  void elements(std::vector<std::int16_t>& out, std::ptrdiff_t count, bool flexible,
                const char* field);
  void elements(std::vector<std::int32_t>& out, std::ptrdiff_t count, bool flexible,
                const char* field);
  void elements(std::vector<std::int64_t>& out, std::ptrdiff_t count, bool flexible,
                const char* field);
  void elements(std::vector<Uuid>& out, std::ptrdiff_t count, bool flexible, const char* field);
  void elements(std::vector<std::string_view>& out, std::ptrdiff_t count, bool flexible,
                const char* field);
  /// A nullable struct: -1 is null, 1 is present, all else is refused.
  bool struct_follows(const char* field);
  /// The tagged fields of a struct that has none of its own.
  void tags(TaggedFields& unknown);

  void fail(const char* field, std::string what);

 private:
  friend class TagReader;
  std::string_view take(std::size_t size) {
    const std::string_view taken(p_, size);
    p_ += size;
    return taken;
  }
  void cut_short(const char* field, std::size_t wanted);
  /// Length of a string, bytes or records; -1 is null. An error gives -1 too, and latches.
  std::int64_t length(bool flexible, bool wide, bool nullable, const char* field);
  std::optional<std::string_view> run(bool flexible, bool wide, bool nullable, const char* field);

  const char* begin_;
  const char* p_;
  const char* end_;
  std::size_t memory_left_;
  bool failed_ = false;
  std::string error_;
};

/// Walks the tagged fields at the end of a struct. The caller reads the value of tag() through the
/// decoder, which ends where the field ends, or keeps it as unknown.
class TagReader {
 public:
  explicit TagReader(Decoder& decoder);
  /// Closes the field before, which must have been read to its last byte, and opens the next.
  bool next();
  std::uint32_t tag() const { return tag_; }
  void keep(TaggedFields& unknown);

 private:
  Decoder& decoder_;
  std::uint32_t left_;
  std::uint32_t tag_ = 0;
  bool first_ = true;
  const char* outer_end_ = nullptr;
};

/// A place in the encoder's output where `size` bytes from elsewhere are to be sent.
struct Splice {
  std::size_t position;  // in the output string: the bytes go in front of out[position]
  std::size_t size;
};

/// Appends one message to a string. Values that the wire cannot carry (a string of 40,000 bytes in
/// an old version, null where a version forbids it) latch an error; look at status() at the end.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  Result<void> status() const;
  bool ok() const { return !failed_; }
  std::string& out() { return out_; }
  const std::vector<Splice>& splices() const { return splices_; }
  /// Bytes written by splices, in addition to those in out().
  std::size_t spliced_bytes() const { return spliced_bytes_; }

  template <class T>
  void integer(T value) {
    if constexpr (sizeof(T) == 1) {
      out_.push_back(static_cast<char>(value));
    } else {
      append_be(out_, value);
    }
  }
  void boolean(bool value) { out_.push_back(value ? '\1' : '\0'); }
  void float64(double value) { append_be(out_, std::bit_cast<std::uint64_t>(value)); }
  void uuid(const Uuid& value) {
    out_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
  }
  void uvarint(std::uint64_t value) { append_uvarint(out_, value); }

  void string(std::string_view value, bool flexible, const char* field);
  void nullable_string(const std::optional<std::string_view>& value, bool flexible, bool nullable,
                       const char* field);
  void bytes(std::string_view value, bool flexible, const char* field);
  void nullable_bytes(const std::optional<std::string_view>& value, bool flexible, bool nullable,
                      const char* field);
  void records(const Records& value, bool flexible, bool nullable, const char* field);

  void array_count(std::size_t count, bool flexible, const char* field);
  void null_array(bool flexible, bool nullable, const char* field);
  void elements(const std::vector<std::int8_t>& values, bool flexible, const char* field);
  void elements(const std::vector<std::int16_t>& values, bool flexible, const char* field);
  void elements(const std::vector<std::int32_t>& values, bool flexible, const char* field);
  void elements(const std::vector<std::int64_t>& values, bool flexible, const char* field);
  void elements(const std::vector<Uuid>& values, bool flexible, const char* field);
  void elements(const std::vector<std::string_view>& values, bool flexible, const char* field);
  void tags(const TaggedFields& unknown);

  void fail(const char* field, std::string what);

 private:
  friend class TagWriter;
  void length(std::size_t size, bool flexible, bool wide, const char* field);
  void null(bool flexible, bool wide, bool nullable, const char* field);

  std::string& out_;
  std::vector<Splice> splices_;
  std::size_t spliced_bytes_ = 0;
  bool failed_ = false;
  std::string error_;
};

/// Writes the tagged fields of a struct in ascending order: known ones between begin() and end(),
/// unknown ones where they belong.
class TagWriter {
 public:
  TagWriter(Encoder& encoder, const TaggedFields& unknown);
  void begin(std::uint32_t tag);
  void end();
  void finish();

 private:
  void write_unknown_below(std::uint64_t tag);

  Encoder& encoder_;
  const TaggedField* next_unknown_;
  const TaggedField* end_unknown_;
  std::size_t count_position_;
  std::size_t value_position_ = 0;
  std::size_t count_ = 0;
};

/// The one way to read a whole body: a version that the message has, no byte left over.
/// The message borrows from `body`.
template <class Message>
Result<Message> decode_all(std::string_view body, std::int16_t version);

/// Appends `message` to `out`, which is left as it was if the message cannot be written.
/// Records of external size are not allowed here: use an Encoder.
template <class Message>
Result<void> encode_all(const Message& message, std::int16_t version, std::string& out);

/// "ProduceRequest has no version 42, only 3 to 13"; Errc::unsupported_version.
tl::unexpected<Error> no_such_version(std::string_view message, std::int16_t version,
                                      std::int16_t min, std::int16_t max);
tl::unexpected<Error> bad_message(std::string_view message, std::int16_t version,
                                  const Error& error);

template <class Message>
Result<Message> decode_all(std::string_view body, std::int16_t version) {
  if (version < Message::min_version || version > Message::max_version)
    return no_such_version(Message::message_name, version, Message::min_version,
                           Message::max_version);
  Decoder decoder(body);
  Result<Message> message;
  message->decode(decoder, version);
  if (decoder.ok() && decoder.remaining() != 0) decoder.fail("end", "bytes left over");
  if (!decoder.ok())
    message = bad_message(Message::message_name, version, decoder.status().error());
  return message;
}

template <class Message>
Result<void> encode_all(const Message& message, std::int16_t version, std::string& out) {
  if (version < Message::min_version || version > Message::max_version)
    return no_such_version(Message::message_name, version, Message::min_version,
                           Message::max_version);
  const std::size_t before = out.size();
  Encoder encoder(out);
  message.encode(encoder, version);
  if (encoder.ok() && !encoder.splices().empty()) encoder.fail("records", "are external");
  if (encoder.ok()) return {};
  out.resize(before);
  return bad_message(Message::message_name, version, encoder.status().error());
}

}  // namespace weir::kafka
