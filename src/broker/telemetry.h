// A broker's metrics as text.
#pragma once

#include <string>

#include "metrics/exposition.h"

namespace weir::http {
class Server;
}

namespace weir::broker {

class Broker;

/// Topics, partitions and counters as they are now. Families of /proc are left out where there is
/// none, those of `http` where it is nullptr. On the broker's loop; costs some microseconds and one
/// for each series.
std::string expose(Broker& broker, const http::Server* http, metrics::Format format);

/// The topic_name of what is summed up over the topics beyond the bound; no topic can have it.
inline constexpr std::string_view other_topics = "(other)";

}  // namespace weir::broker
