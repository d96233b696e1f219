// What Admin does, on the client's loop. Included by client.cc and admin.cc alone.
#pragma once

#include <weir/admin.h>

#include <memory>

#include "client/engine.h"
#include "kafka/messages/metadata.h"

namespace weir {
inline namespace v1 {

struct Admin::Impl {
  explicit Impl(std::shared_ptr<client::Engine> e);
  ~Impl();

  Result<ClusterDescription> describe_cluster(std::chrono::milliseconds limit);
  /// Of one topic, or of all (nullptr); never makes one.
  Result<client::Reply<kafka::MetadataResponse>> ask_metadata(const std::string* topic);

  /// Sends until it is answered for good or the time is over; `judge` finds errors worth a retry.
  template <class Request, class Response, class Judge>
  Result<client::Reply<Response>> call(client::Route route, std::shared_ptr<const Request> request,
                                       Judge judge, std::chrono::milliseconds limit) {
    return engine->wait_for<client::Reply<Response>>(
        [this, route, request = std::move(request), judge,
         deadline = engine->deadline(limit)](auto done) mutable {
          cluster->template call<Request, Response>(route, deadline, std::move(request), judge,
                                                    std::move(done));
        });
  }

  std::shared_ptr<client::Engine> engine;
  std::unique_ptr<client::Cluster> cluster;
  std::chrono::milliseconds timeout{30'000};
};

}  // namespace v1
}  // namespace weir
