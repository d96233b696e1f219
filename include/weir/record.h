// Records: views into a fetched batch, the batch that owns the bytes, and a record that owns
// itself.
//
// Shape: Apache Kafka's record batch, format 2. Times are milliseconds since 1970-01-01 UTC.
#pragma once

#include <weir/result.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {
inline namespace v1 {

/// A moment of the wall clock, as records carry it.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

/// A header of a record; an absent value is null. Borrows.
struct Header {
  std::string_view key;
  std::optional<std::string_view> value;
  bool operator==(const Header&) const = default;
};

namespace detail {

// What a batch hands out was checked, record for record, when it was made: these do not check.
inline std::uint64_t take_uvarint_unchecked(const char*& p) {
  std::uint64_t value = static_cast<unsigned char>(*p++);
  if (value < 0x80U) return value;
  const auto second = static_cast<unsigned char>(*p++);
  value = (value & 0x7fU) | static_cast<std::uint64_t>(second & 0x7fU) << 7U;
  if (second < 0x80U) return value;
  for (unsigned shift = 14;; shift += 7) {
    const auto byte = static_cast<unsigned char>(*p++);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80U) return value;
  }
}
inline std::int64_t take_varint_unchecked(const char*& p) {
  const std::uint64_t v = take_uvarint_unchecked(p);
  return static_cast<std::int64_t>((v >> 1U) ^ (~(v & 1U) + 1U));
}
/// A length and that many bytes; a length of -1 is null.
inline std::optional<std::string_view> take_run_unchecked(const char*& p) {
  const std::int64_t size = take_varint_unchecked(p);
  if (size < 0) return std::nullopt;
  const std::string_view run(p, static_cast<std::size_t>(size));
  p += size;
  return run;
}

struct BatchAccess;

}  // namespace detail

/// The headers of one record, read while they are walked. Borrows like its record.
class HeaderRange {
 public:
  class Iterator {
   public:
    using value_type = Header;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    Iterator() = default;
    Header operator*() const {
      const char* p = p_;
      const auto key = detail::take_run_unchecked(p);
      return {key.value_or(std::string_view{}), detail::take_run_unchecked(p)};
    }
    Iterator& operator++() {
      detail::take_run_unchecked(p_);
      detail::take_run_unchecked(p_);
      --left_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    friend class HeaderRange;
    Iterator(const char* p, std::uint32_t left) : p_(p), left_(left) {}
    const char* p_ = nullptr;
    std::uint32_t left_ = 0;
  };

  HeaderRange() = default;
  std::uint32_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Iterator begin() const { return {p_, count_}; }
  Iterator end() const { return {nullptr, 0}; }
  /// The value of the last header with this key; an empty optional if there is none or it is null.
  std::optional<std::string_view> last(std::string_view key) const {
    std::optional<std::string_view> found;
    for (const Header header : *this)
      if (header.key == key) found = header.value;
    return found;
  }

 private:
  friend class Batch;
  HeaderRange(const char* p, std::uint32_t count) : p_(p), count_(count) {}
  const char* p_ = nullptr;
  std::uint32_t count_ = 0;
};

/// One record. Its views are valid as long as a copy of its Batch lives.
class RecordView {
 public:
  RecordView() = default;
  std::int64_t offset() const { return offset_; }
  /// Of the producer, or of the broker if the topic says `message.timestamp.type=LogAppendTime`.
  Timestamp timestamp() const { return Timestamp(std::chrono::milliseconds(timestamp_ms_)); }
  std::int64_t timestamp_ms() const { return timestamp_ms_; }
  std::optional<std::string_view> key() const { return key_; }
  /// Absent: a tombstone, which deletes its key from an entity stream.
  std::optional<std::string_view> value() const { return value_; }
  const HeaderRange& headers() const { return headers_; }

 private:
  friend class Batch;
  std::int64_t offset_ = 0;
  std::int64_t timestamp_ms_ = 0;
  std::optional<std::string_view> key_;
  std::optional<std::string_view> value_;
  HeaderRange headers_;
};

template <class Key, class Value, auto kind>
class TypedBatch;

/// Records of one partition in order of offsets, as one producer's batch holds them.
///
/// Owns (with its copies) the fetched bytes; every record is known to be well formed. While a batch
/// lives, its bytes count against the `prefetch_bytes` of the consumer that handed it out. It may
/// outlive consumer and client. Threads: any, one at a time for each copy.
class Batch {
 public:
  class Iterator {
   public:
    using value_type = RecordView;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    Iterator() = default;
    const RecordView& operator*() const { return record_; }
    const RecordView* operator->() const { return &record_; }
    Iterator& operator++() {
      if (--left_ > 0) batch_->read(p_, record_);
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    friend class Batch;
    explicit Iterator(const Batch* batch) : batch_(batch), p_(batch->first_), left_(batch->count_) {
      if (left_ > 0) batch_->read(p_, record_);
    }
    const Batch* batch_ = nullptr;
    const char* p_ = nullptr;
    std::int32_t left_ = 0;
    RecordView record_;
  };

  Batch() = default;
  const std::string& topic() const { return partition_->topic; }
  std::int32_t partition() const { return partition_->partition; }
  const TopicPartition& topic_partition() const { return *partition_; }
  /// Number of records, at least one.
  std::int32_t size() const { return count_; }
  /// The offset behind the last one of this batch: where to go on from.
  std::int64_t next_offset() const { return next_offset_; }
  /// Bytes of the records as they lie in memory (decompressed).
  std::size_t size_bytes() const { return size_bytes_; }
  std::int32_t leader_epoch() const { return leader_epoch_; }
  Iterator begin() const { return Iterator(this); }
  Iterator end() const { return {}; }
  /// The records decoded by the codecs of `topic`: see <weir/topic.h>, which must be included.
  template <class TopicType>
  auto as(const TopicType& topic) const {
    return TypedBatch<typename TopicType::key_type, typename TopicType::value_type,
                      TopicType::kind>(*this, topic);
  }

 private:
  friend struct detail::BatchAccess;

  void read(const char*& p, RecordView& out) const {
    const std::int64_t size = detail::take_varint_unchecked(p);
    const char* const end = p + size;
    ++p;  // attributes, of which none is defined
    const std::int64_t timestamp = detail::take_varint_unchecked(p);
    out.timestamp_ms_ = append_time_ ? base_timestamp_ : base_timestamp_ + timestamp;
    out.offset_ = base_offset_ + detail::take_varint_unchecked(p);
    out.key_ = detail::take_run_unchecked(p);
    out.value_ = detail::take_run_unchecked(p);
    const auto headers = static_cast<std::uint32_t>(detail::take_varint_unchecked(p));
    out.headers_ = HeaderRange(p, headers);
    p = end;
  }

  std::shared_ptr<const TopicPartition> partition_;
  std::shared_ptr<const void> bytes_;  // keeps alive what first_ points into
  const char* first_ = nullptr;
  std::size_t size_bytes_ = 0;
  std::int64_t base_offset_ = 0;
  std::int64_t base_timestamp_ = 0;
  std::int64_t next_offset_ = 0;
  std::int32_t count_ = 0;
  std::int32_t leader_epoch_ = -1;
  bool append_time_ = false;
};

/// A record that owns its bytes, for code that keeps one longer than its batch.
struct Record {
  struct OwnedHeader {
    std::string key;
    std::optional<std::string> value;
  };
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Timestamp timestamp{};
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<OwnedHeader> headers;

  static Record copy_of(const Batch& batch, const RecordView& record) {
    Record out{.topic = batch.topic(),
               .partition = batch.partition(),
               .offset = record.offset(),
               .timestamp = record.timestamp(),
               .key = {},
               .value = {},
               .headers = {}};
    if (record.key()) out.key = std::string(*record.key());
    if (record.value()) out.value = std::string(*record.value());
    for (const Header header : record.headers()) {
      OwnedHeader& kept = out.headers.emplace_back();
      kept.key = std::string(header.key);
      if (header.value) kept.value = std::string(*header.value);
    }
    return out;
  }
};

}  // namespace v1
}  // namespace weir
