#include "registry/forward.h"

namespace weir::registry {
namespace {

http::Request copy_for_leader(http::Request request) {
  http::Headers headers;
  headers.add(std::string(forwarded_header), "false");
  for (const char* name : {"Authorization", "Accept", "Content-Type"})
    if (const auto* value = request.headers.find(name)) headers.add(name, *value);
  request.headers = std::move(headers);
  return request;
}

void keep_offset_alone(http::Response& response) {
  std::erase_if(response.headers, [](const http::Header& header) {
    return !http::equal_without_case(header.name, offset_header);
  });
  response.close = false;  // of the leader's connection
}

}  // namespace

void forward(http::Client& client, const std::string& url, http::Request request, Duration timeout,
             Forwarded done) {
  const auto leader = http::Url::parse(url);
  if (!leader)
    return done(fail(leader.error().code(), "the leader's address: " + leader.error().message()));
  client.send(*leader, copy_for_leader(std::move(request)), timeout,
              [done = std::move(done)](Result<http::Response> answer) mutable {
                if (answer) keep_offset_alone(*answer);
                done(std::move(answer));
              });
}

}  // namespace weir::registry
