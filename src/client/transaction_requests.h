// The requests of transactions as messages, and what their answers say.
#pragma once

#include <memory>
#include <string>

#include "client/transaction_core.h"
#include "kafka/messages/add_offsets_to_txn.h"
#include "kafka/messages/add_partitions_to_txn.h"
#include "kafka/messages/end_txn.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/txn_offset_commit.h"

namespace weir::client {

/// `out` is filled for the transactional id `id`; views borrow from `request` or are kept by `out`.
void fill(kafka::InitProducerIdRequest& out, const TransactionRequest& request,
          const std::string& id, std::int32_t timeout_ms);
void fill(kafka::AddPartitionsToTxnRequest& out, const TransactionRequest& request,
          const std::string& id, std::int32_t timeout_ms);
void fill(kafka::AddOffsetsToTxnRequest& out, const TransactionRequest& request,
          const std::string& id, std::int32_t timeout_ms);
void fill(kafka::TxnOffsetCommitRequest& out, const TransactionRequest& request,
          const std::string& id, std::int32_t timeout_ms);
void fill(kafka::EndTxnRequest& out, const TransactionRequest& request, const std::string& id,
          std::int32_t timeout_ms);

/// The error that decides what is done next: one that ends the producer, then one that ends the
/// transaction, then one that is tried again.
TransactionAnswer answer_of(const kafka::InitProducerIdResponse& response, const std::string& id);
TransactionAnswer answer_of(const kafka::AddPartitionsToTxnResponse& response,
                            const std::string& id);
TransactionAnswer answer_of(const kafka::AddOffsetsToTxnResponse& response, const std::string& id);
TransactionAnswer answer_of(const kafka::TxnOffsetCommitResponse& response, const std::string& id);
TransactionAnswer answer_of(const kafka::EndTxnResponse& response, const std::string& id);

}  // namespace weir::client
