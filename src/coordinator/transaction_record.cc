#include "coordinator/transaction_record.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "kafka/records/transaction_log_key.h"
#include "kafka/records/transaction_log_value.h"

namespace weir::coordinator {
namespace {

constexpr std::int16_t transaction_key = kafka::TransactionLogKey::record_type;
constexpr std::int16_t written_version = 1;  // the first with the fields of KIP-890
constexpr std::int8_t dead = 6;              // Kafka never writes it, but names it

Result<std::string> key_bytes(std::string_view id) {
  std::string out;
  append_be<std::int16_t>(out, transaction_key);
  kafka::TransactionLogKey key;
  key.transactional_id = id;
  if (auto r = kafka::encode_all(key, 0, out); !r) return fail(r.error());
  return out;
}

Result<Transaction> from_value(const kafka::TransactionLogValue& value) {
  if (value.transaction_status < 0 || value.transaction_status >= dead)
    return fail(Errc::malformed,
                fmt::format("transaction status {} is none", value.transaction_status));
  Transaction out{.producer = ProducerId(value.producer_id),
                  .previous_producer = ProducerId(value.previous_producer_id),
                  .next_producer = ProducerId(value.next_producer_id),
                  .epoch = ProducerEpoch(value.producer_epoch),
                  .timeout_ms = std::max(value.transaction_timeout_ms, 0),
                  .state = static_cast<TransactionState>(value.transaction_status),
                  .partitions = {},
                  .updated_ms = value.transaction_last_update_timestamp_ms,
                  .started_ms = value.transaction_start_timestamp_ms,
                  .client_version = value.client_transaction_version};
  if (value.transaction_partitions)
    for (const auto& topic : *value.transaction_partitions)
      out.partitions[std::string(topic.topic)].insert(topic.partition_ids.begin(),
                                                      topic.partition_ids.end());
  return out;
}

}  // namespace

std::string_view name_of(TransactionState state) {
  switch (state) {
    case TransactionState::empty: return "Empty";
    case TransactionState::ongoing: return "Ongoing";
    case TransactionState::prepare_commit: return "PrepareCommit";
    case TransactionState::prepare_abort: return "PrepareAbort";
    case TransactionState::complete_commit: return "CompleteCommit";
    case TransactionState::complete_abort: return "CompleteAbort";
  }
  return "Unknown";
}

std::size_t size_of(const PartitionSet& partitions) {
  std::size_t count = 0;
  for (const auto& [topic, of_topic] : partitions) count += of_topic.size();
  return count;
}

bool contains(const PartitionSet& all, const PartitionSet& some) {
  return std::all_of(some.begin(), some.end(), [&](const auto& of_topic) {
    const auto found = all.find(of_topic.first);
    return found != all.end() && std::includes(found->second.begin(), found->second.end(),
                                               of_topic.second.begin(), of_topic.second.end());
  });
}

Result<Record> make_transaction_record(std::string_view id, const Transaction& transaction) {
  auto key = key_bytes(id);
  if (!key) return fail(key.error());
  kafka::TransactionLogValue value;
  value.producer_id = transaction.producer.value;
  value.previous_producer_id = transaction.previous_producer.value;
  value.next_producer_id = transaction.next_producer.value;
  value.producer_epoch = transaction.epoch.value;
  value.transaction_timeout_ms = transaction.timeout_ms;
  value.transaction_status = static_cast<std::int8_t>(transaction.state);
  value.transaction_last_update_timestamp_ms = transaction.updated_ms;
  value.transaction_start_timestamp_ms = transaction.started_ms;
  value.client_transaction_version = transaction.client_version;
  // As Kafka has it: no list at all while nothing can be in it.
  if (transaction.state == TransactionState::empty) {
    value.transaction_partitions.reset();
  } else {
    for (const auto& [topic, partitions] : transaction.partitions)
      value.transaction_partitions->push_back(
          {.topic = topic,
           .partition_ids = {partitions.begin(), partitions.end()},
           .unknown_tags = {}});
  }
  std::string body;
  append_be<std::int16_t>(body, written_version);
  if (auto r = kafka::encode_all(value, written_version, body); !r) return fail(r.error());
  return Record{.key = std::move(*key), .value = std::move(body)};
}

Record make_transaction_tombstone(std::string_view id) {
  return {.key = key_bytes(id).value(), .value = {}};
}

Result<std::optional<TransactionRecord>> decode_transaction(std::string_view key,
                                                            std::optional<std::string_view> value) {
  if (key.size() < 2) return fail(Errc::malformed, "a key without a type");
  if (load_be<std::int16_t>(key.data()) != transaction_key)
    return std::optional<TransactionRecord>();
  auto names = kafka::decode_all<kafka::TransactionLogKey>(key.substr(2), 0);
  if (!names) return fail(names.error());
  TransactionRecord out{.id = names->transactional_id, .value = {}};
  if (!value) return std::optional<TransactionRecord>(std::move(out));
  if (value->size() < 2) return fail(Errc::malformed, "a value without a version");
  const auto version = load_be<std::int16_t>(value->data());
  if (version < 0) return fail(Errc::malformed, "a value of a negative version");
  if (version > kafka::TransactionLogValue::max_version) return std::optional<TransactionRecord>();
  auto message = kafka::decode_all<kafka::TransactionLogValue>(value->substr(2), version);
  if (!message) return fail(message.error());
  auto transaction = from_value(*message);
  if (!transaction) return fail(transaction.error());
  out.value = std::move(*transaction);
  return std::optional<TransactionRecord>(std::move(out));
}

}  // namespace weir::coordinator
