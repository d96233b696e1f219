// Stream processing: topologies of typed operators with state, by event time.
//
// <weir/streams/topology.h> begins a topology, <weir/streams/stream.h> has the operators,
// <weir/streams/windows.h> the windows, <weir/streams/test.h> the driver for tests.
#pragma once

#include <weir/streams/application.h>
#include <weir/streams/describe.h>
#include <weir/streams/reader.h>
#include <weir/streams/stream.h>
#include <weir/streams/topology.h>
#include <weir/streams/types.h>
#include <weir/streams/windows.h>
