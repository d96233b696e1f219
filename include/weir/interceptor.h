// Interceptors: see records on their way out and batches on their way in, and add headers; for
// trace contexts, audits and the application's own counters.
#pragma once

#include <weir/record.h>

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {
inline namespace v1 {

struct ProducerRecord;

/// The headers that go with a record: its own, then what interceptors add. Lives for one send().
class OutgoingHeaders {
 public:
  /// Copies both.
  void add(std::string_view key, std::optional<std::string_view> value) {
    const std::string_view kept = kept_.emplace_back(key);
    std::optional<std::string_view> kept_value;
    if (value) kept_value = kept_.emplace_back(*value);
    headers_.push_back({kept, kept_value});
  }
  /// Borrowed: an own header of the record.
  void append(const Header& header) { headers_.push_back(header); }
  const std::vector<Header>& all() const { return headers_; }

 private:
  std::vector<Header> headers_;
  std::deque<std::string> kept_;
};

/// Threads: on_send() those that send, several at once; on_delivery() the client's.
class ProducerInterceptor {
 public:
  virtual ~ProducerInterceptor() = default;
  /// Before the record is copied. It must not call the producer.
  virtual void on_send(const ProducerRecord& record, OutgoingHeaders& headers) {
    static_cast<void>(record);
    static_cast<void>(headers);
  }
  /// Once a batch, before the callbacks of its records: the offset of its first record (-1: not
  /// known), or why they failed.
  virtual void on_delivery(const TopicPartition& partition, std::int32_t records,
                           const Result<std::int64_t>& base_offset) {
    static_cast<void>(partition);
    static_cast<void>(records);
    static_cast<void>(base_offset);
  }
};

/// Threads: the one that polls.
class ConsumerInterceptor {
 public:
  virtual ~ConsumerInterceptor() = default;
  /// Before poll() hands it out.
  virtual void on_batch(const Batch& batch) { static_cast<void>(batch); }
};

}  // namespace v1
}  // namespace weir
