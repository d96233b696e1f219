// The streams that an application keeps for itself: how they are made.
#pragma once

#include <weir/admin.h>

#include <vector>

#include "streams/plan.h"

//   | topic                          | cleanup.policy | further |
//   |--------------------------------|----------------|---------------------------------------------|
//   | APPLICATION-NAME-repartition   | delete         | retention.ms -1: what was consumed is | |
//   |                | removed by the application                  | | APPLICATION-STORE-changelog
//   | compact        | windows too: they leave by tombstones when   | | |                | stream
//   time has passed them, never by the    | |                                |                |
//   wall clock, which would empty the state of   | |                                | | an
//   application that works through the past  |

namespace weir::streams {

std::vector<NewTopic> internal_topics(const Plan& plan, std::int16_t replication_factor);

}  // namespace weir::streams
