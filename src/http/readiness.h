// Answers of /readyz, the same of every program here.
#pragma once

#include <string>
#include <vector>

#include "http/message.h"

namespace weir::http {

/// 200 "ready" without a reason against it, else 503 with each of them; as JSON if the request
/// accepts that, or says `format=json`: `{"ready": false, "reasons": [...]}`.
Response readiness(const Request& request, const std::vector<std::string>& reasons);

/// Nobody keeps it.
Response uncached(Response response);

}  // namespace weir::http
