// Consumer groups in a broker's metrics.
#pragma once

#include "metrics/exposition.h"

namespace weir::broker {

class Broker;

/// Groups in the order of their ids, bounded by weir.metrics.groups: so many groups have series,
/// those of topics and partitions too while their committed partitions fit; the rest is summed up.
void expose_groups(metrics::Exposition& out, Broker& broker);

}  // namespace weir::broker
