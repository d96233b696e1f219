// The promises to readers: what polls, inside transactions and outside, must and must not show.
#pragma once

#include "anomaly_lines.h"
#include "transaction_history.h"

namespace weir::tests {

void check_polls(const TransactionHistory& history, AnomalyLines& lines);

}  // namespace weir::tests
