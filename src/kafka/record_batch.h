// Record batches, format 2: a view of the header, iteration, records without allocation.
//
//  0 baseOffset i64            17 crc u32 (of bytes 21..end)  43 producerId i64
//  8 batchLength i32           21 attributes i16              51 producerEpoch i16
// 12 partitionLeaderEpoch i32  23 lastOffsetDelta i32         53 baseSequence i32
// 16 magic i8 = 2              27 baseTimestamp i64           57 recordCount i32
//                              35 maxTimestamp i64            61 records, compressed as one
//
// What a producer sends is judged in batch_check.h; new batches are made in batch_builder.h.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/varint.h"
#include "compress/compress.h"

namespace weir::kafka {

inline constexpr std::size_t batch_header_bytes = 61;
/// baseOffset and batchLength, which batchLength does not count.
inline constexpr std::size_t batch_prefix_bytes = 12;
inline constexpr std::int8_t batch_magic = 2;

/// Where the fields of a batch lie.
namespace batch_at {
inline constexpr std::size_t base_offset = 0, length = 8, leader_epoch = 12, magic = 16, crc = 17,
                             attributes = 21, last_offset_delta = 23, base_timestamp = 27,
                             max_timestamp = 35, producer_id = 43, producer_epoch = 51,
                             base_sequence = 53, record_count = 57, records = 61;
}

/// Bits of the attributes.
namespace batch_bits {
inline constexpr std::int16_t codec = 0x07, log_append_time = 0x08, transactional = 0x10,
                              control = 0x20, delete_horizon = 0x40, all = 0x7f;
}

/// One whole batch, borrowed. Its header may still say anything but its length and magic.
class BatchView {
 public:
  BatchView() = default;
  /// The batch at the front of `bytes`, which may go on behind it. Errc::corrupt_message if there
  /// is no whole batch of format 2. The CRC is not looked at: see crc_is_right().
  static Result<BatchView> parse(std::string_view bytes);

  /// The whole batch with its header.
  std::string_view bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  std::int64_t base_offset() const { return at<std::int64_t>(batch_at::base_offset); }
  std::int64_t last_offset() const { return base_offset() + last_offset_delta(); }
  std::int64_t next_offset() const { return last_offset() + 1; }
  std::int32_t leader_epoch() const { return at<std::int32_t>(batch_at::leader_epoch); }
  std::uint32_t crc() const { return at<std::uint32_t>(batch_at::crc); }
  std::int16_t attributes() const { return at<std::int16_t>(batch_at::attributes); }
  std::int32_t last_offset_delta() const { return at<std::int32_t>(batch_at::last_offset_delta); }
  std::int64_t base_timestamp() const { return at<std::int64_t>(batch_at::base_timestamp); }
  std::int64_t max_timestamp() const { return at<std::int64_t>(batch_at::max_timestamp); }
  std::int64_t producer_id() const { return at<std::int64_t>(batch_at::producer_id); }
  std::int16_t producer_epoch() const { return at<std::int16_t>(batch_at::producer_epoch); }
  std::int32_t base_sequence() const { return at<std::int32_t>(batch_at::base_sequence); }
  std::int32_t record_count() const { return at<std::int32_t>(batch_at::record_count); }
  /// -1 without a sequence; 2^31 - 1 is followed by 0.
  std::int32_t last_sequence() const;

  /// May be a number without a codec (5 to 7).
  std::uint8_t codec_bits() const {
    return static_cast<std::uint8_t>(attributes() & batch_bits::codec);
  }
  bool has_codec() const { return codec_bits() < compress::codec_count; }
  compress::Codec codec() const { return static_cast<compress::Codec>(codec_bits()); }
  bool is_log_append_time() const { return has(batch_bits::log_append_time); }
  bool is_transactional() const { return has(batch_bits::transactional); }
  bool is_control() const { return has(batch_bits::control); }
  bool has_delete_horizon() const { return has(batch_bits::delete_horizon); }
  bool has_producer() const { return producer_id() >= 0; }

  /// The records as they travel, perhaps compressed.
  std::string_view payload() const { return bytes_.substr(batch_at::records); }
  std::uint32_t compute_crc() const;
  bool crc_is_right() const { return crc() == compute_crc(); }

 private:
  explicit BatchView(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T at(std::size_t position) const {
    return load_be<T>(bytes_.data() + position);
  }
  bool has(std::int16_t bit) const { return (attributes() & bit) != 0; }

  std::string_view bytes_;
};

/// Walks batches that stand one after the other, as a log or a Fetch response holds them.
///   BatchCursor cursor(bytes);
///   BatchView batch;
///   for (;;) { auto more = cursor.next(batch); if (!more) ...; if (!*more) break; ... }
class BatchCursor {
 public:
  explicit BatchCursor(std::string_view bytes) : rest_(bytes) {}
  /// True: `batch` is the next one. False: nothing is left but, perhaps, a batch that is cut.
  /// Errc::corrupt_message: what stands here is no batch of format 2.
  Result<bool> next(BatchView& batch);
  /// What has not been walked.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Fields outside the CRC, written in place. `batch` points at a whole batch.
void set_base_offset(char* batch, std::int64_t offset);
void set_leader_epoch(char* batch, std::int32_t epoch);
/// Fields inside the CRC; the CRC is computed again. `batch` is one whole batch.
void rewrite_max_timestamp(char* batch, std::size_t size, std::int64_t max_timestamp);
void rewrite_log_append_time(char* batch, std::size_t size, std::int64_t now_ms);
void rewrite_producer(char* batch, std::size_t size, std::int64_t producer_id,
                      std::int16_t producer_epoch, std::int32_t base_sequence);

struct Header {
  std::string_view key;
  std::optional<std::string_view> value;
};

/// The headers of one record, read when walked; their form was checked by the reader.
class HeaderRange {
 public:
  class Iterator {
   public:
    Iterator(std::string_view rest, std::uint32_t left) : rest_(rest), left_(left) {}
    Header operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return left_ != other.left_; }

   private:
    std::string_view rest_;
    std::uint32_t left_;
  };

  HeaderRange() = default;
  HeaderRange(std::string_view bytes, std::uint32_t count) : bytes_(bytes), count_(count) {}
  std::uint32_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Iterator begin() const { return {bytes_, count_}; }
  Iterator end() const { return {{}, 0}; }
  /// As they stand in the record, without their count.
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
  std::uint32_t count_ = 0;
};

/// One record; every view borrows from the bytes of its RecordReader.
struct RecordView {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  HeaderRange headers;
};

/// Reads the records of one batch, whose CRC the caller has checked or trusts.
class RecordReader {
 public:
  RecordReader() = default;
  /// Borrows the batch if it is not compressed, else decompresses it into a block of its own.
  /// Errc::invalid_record for a codec or content that is wrong.
  static Result<RecordReader> open(const BatchView& batch, compress::Caps caps = {});

  /// False at the end and after an error; ask error() which. `record` is then unspecified.
  bool next(RecordView& record);
  /// nullptr, or why next() stopped before the last record: Errc::invalid_record.
  const Error* error() const { return error_ ? &*error_ : nullptr; }
  std::int32_t records_left() const { return left_; }
  /// What keeps the views alive when the batch was compressed; empty when it borrows.
  const Slice& decompressed() const { return decompressed_; }

 private:
  bool stop(std::string why);

  Slice decompressed_;
  std::string_view rest_;
  std::int64_t base_offset_ = 0;
  std::int64_t base_timestamp_ = 0;
  std::int64_t append_time_ = 0;
  std::int32_t left_ = 0;
  bool is_append_time_ = false;
  std::optional<Error> error_;
};

/// The one record of a control batch that ends a transaction.
struct EndMarker {
  bool commit = false;
  std::int32_t coordinator_epoch = 0;
};
/// What kind of control record a key says; others than these exist in Kafka's metadata log.
enum class ControlType : std::int16_t { abort = 0, commit = 1 };
/// Errc::invalid_record if `record` (of a control batch) is no end-of-transaction marker.
Result<EndMarker> parse_end_marker(const RecordView& record);

}  // namespace weir::kafka
