// Producer: sends records to topics in batches; idempotent unless told otherwise.
//
// Rules: KIP-98 and KIP-360 (idempotence), KIP-480 and KIP-794 (sticky partitions), KIP-91
// (delivery timeout). Settings have the names and, where not said, the defaults of Apache Kafka.
#pragma once

#include <weir/interceptor.h>
#include <weir/pending.h>
#include <weir/topic.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::client {
class Session;
}

namespace weir {
inline namespace v1 {

enum class Compression : std::uint8_t { none, gzip, snappy, lz4, zstd };

/// Who must have a batch before it counts as sent.
enum class Acks : std::int8_t {
  none = 0,    // nobody: errors are not seen, offsets not known
  leader = 1,  // the leader; loses what the leader loses before it is replicated
  all = -1,    // every replica in sync; the only one with idempotence
};

struct ProducerOptions {
  /// How long a batch waits for more records; `linger.ms`.
  std::chrono::milliseconds linger{5};
  /// Bytes of one batch before compression; `batch.size`. A larger record goes alone.
  std::size_t batch_bytes = 16U * 1024;
  /// Bytes of all batches that are not acknowledged; `buffer.memory`.
  std::size_t buffer_bytes = 32U * 1024 * 1024;
  /// Bytes of one request, and with that of one record; `max.request.size`.
  std::size_t max_request_bytes = 1024U * 1024;
  Compression compression = Compression::none;
  /// The codec's own default if absent; `compression.LEVEL`.
  std::optional<int> compression_level = std::nullopt;
  Acks acks = Acks::all;
  /// Each record at most once and in order, whatever is sent again. Absent: if acks is all.
  std::optional<bool> idempotent = std::nullopt;
  /// Requests under way on one connection; `max.in.flight.requests.per.connection`. At most 5.
  int max_in_flight = 5;
  /// From send() until a record has failed for good with Errc::timed_out.
  std::chrono::milliseconds delivery_timeout{120'000};
  /// How long send() waits for room in the buffer and records wait for their topic to be known.
  std::chrono::milliseconds max_block{60'000};
  std::chrono::milliseconds request_timeout{30'000};
  /// Asked in their order.
  std::vector<std::shared_ptr<ProducerInterceptor>> interceptors = {};
  /// Of a transactional producer: the coordinator aborts what is open for longer.
  std::chrono::milliseconds transaction_timeout{60'000};
};

/// What to send. Borrowed: send() copies.
struct ProducerRecord {
  std::string_view topic;
  std::optional<std::string_view> key = std::nullopt;
  std::optional<std::string_view> value = std::nullopt;
  std::span<const Header> headers = {};
  /// Absent: by murmur2 of the key; without a key, batch by batch another one.
  std::optional<std::int32_t> partition = std::nullopt;
  /// Absent: now.
  std::optional<Timestamp> timestamp = std::nullopt;
};

/// Where a record has come to stand.
struct RecordMetadata {
  std::int32_t partition = -1;
  /// -1 with Acks::none, or if the broker knew a repeated batch but not its place.
  std::int64_t offset = -1;
  Timestamp timestamp{};
};

/// Called once a record, on the client's thread, in the order of the records of a partition.
/// It must not block, and may call send() (which then never waits for room).
using DeliveryCallback = std::function<void(Result<RecordMetadata>)>;

namespace detail {

/// The typed forms of a `Result<void> send(const ProducerRecord&, DeliveryCallback)`: a codec's
/// error is returned and nothing is sent.
template <class Self>
class TypedSends {
 public:
  template <class Key, class Value, TopicKind kind>
    requires(kind != TopicKind::unkeyed)
  Result<void> send(const Topic<Key, Value, kind>& topic, const Key& key, const Value& value,
                    DeliveryCallback done = {}) {
    std::string key_bytes;
    std::string value_bytes;
    Headers headers;
    if (auto r = headers.encode(*topic.key_codec, key, key_bytes); !r) return r;
    if (auto r = headers.encode(*topic.value_codec, value, value_bytes); !r) return r;
    return self().send(
        {.topic = topic.name, .key = key_bytes, .value = value_bytes, .headers = headers.all()},
        std::move(done));
  }
  template <class Value>
  Result<void> send(const Topic<NoKey, Value, TopicKind::unkeyed>& topic, const Value& value,
                    DeliveryCallback done = {}) {
    std::string bytes;
    Headers headers;
    if (auto r = headers.encode(*topic.value_codec, value, bytes); !r) return r;
    return self().send({.topic = topic.name, .value = bytes, .headers = headers.all()},
                       std::move(done));
  }
  /// A delivery to be waited for, instead of a callback. An error of send() is its result.
  Pending<RecordMetadata> send_pending(const ProducerRecord& record) {
    auto [pending, tell] = Pending<RecordMetadata>::make();
    if (auto sent = self().send(record, tell); !sent) tell(fail(sent.error()));
    return pending;
  }
  /// A tombstone: the entity is deleted.
  template <class Key, class Value>
  Result<void> remove(const Topic<Key, Value, TopicKind::entity>& topic, const Key& key,
                      DeliveryCallback done = {}) {
    std::string bytes;
    Headers headers;
    if (auto r = headers.encode(*topic.key_codec, key, bytes); !r) return r;
    return self().send({.topic = topic.name, .key = bytes, .headers = headers.all()},
                       std::move(done));
  }

 private:
  friend Self;
  TypedSends() = default;

  /// What the codecs of one record want in its headers.
  class Headers {
   public:
    template <class T>
    Result<void> encode(const Codec<T>& codec, const T& value, std::string& out) {
      auto header = codec.encode_record(value, out);
      if (!header) return fail(std::move(header.error()));
      if (*header) headers_[count_++] = **header;
      return {};
    }
    std::span<const Header> all() const { return {headers_.data(), count_}; }

   private:
    std::array<Header, 2> headers_;  // of the key and of the value
    std::size_t count_ = 0;
  };
  Self& self() { return static_cast<Self&>(*this); }
};

}  // namespace detail

class Producer : public detail::TypedSends<Producer> {
 public:
  using detail::TypedSends<Producer>::send;
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  /// Closes without waiting: what is not acknowledged fails with Errc::closed. flush() before.
  ~Producer();

  /// Copies the record into a batch. Never waits for the network; waits up to `max_block` for room
  /// in the buffer, then Errc::queue_full. Errc::message_too_large, invalid_argument, closed, or
  /// the fatal error of this producer (Error::fatal()), after which it must be closed.
  /// Without a callback a failed delivery is told by flush(). Threads: any.
  Result<void> send(const ProducerRecord& record, DeliveryCallback done = {});

  /// Sends at once what waits for its linger, and waits for everything sent before this call.
  /// Errc::timed_out, or the first failure since the last flush() of a record without a callback.
  /// Threads: any but the client's.
  Result<void> flush(std::chrono::milliseconds timeout);

  /// Takes no more records, waits for those sent before, and fails what is not acknowledged by then
  /// with Errc::closed. Errc::timed_out, or the first failure as flush() tells it. Threads: as
  /// flush(); a send() that waits for room in another thread ends with Errc::closed.
  Result<void> close(std::chrono::milliseconds timeout);

  /// Bytes of records not acknowledged yet, as the buffer counts them. Threads: any.
  std::size_t buffered_bytes() const;

 private:
  friend class Client;
  struct Impl;
  explicit Producer(std::unique_ptr<Impl> impl);
  static Result<Producer> open(std::shared_ptr<client::Session> session, ProducerOptions options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir
