// Stream processing: topologies of typed operators with state, by event time.
//
// <weir/streams/topology.h> begins a topology and has all operators with it:
// <weir/streams/stream.h> those of streams, <weir/streams/table.h> those of tables,
// <weir/streams/grouped.h> aggregates; <weir/streams/windows.h> has the windows,
// <weir/streams/test.h> the driver for tests.
#pragma once

#include <weir/streams/application.h>
#include <weir/streams/describe.h>
#include <weir/streams/reader.h>
#include <weir/streams/stream.h>
#include <weir/streams/table.h>
#include <weir/streams/topology.h>
#include <weir/streams/types.h>
#include <weir/streams/windows.h>
