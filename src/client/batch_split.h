// A batch that a broker finds too large becomes several smaller ones.
#pragma once

#include <memory>
#include <vector>

#include "client/producer_batch.h"

namespace weir::client {

/// The records of a sealed batch in at least two batches of about half its size, in their order;
/// sealed, with the sequences that the records had. `options`: codec and level; the producer is the
/// batch's. Deliveries move. The batch must have two records or more.
Result<std::vector<std::unique_ptr<ProducerBatch>>> split(ProducerBatch& batch,
                                                          kafka::BatchOptions options);

}  // namespace weir::client
