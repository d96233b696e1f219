#include "client/engine.h"

namespace weir::client {

Engine::Engine(std::vector<io::Endpoint> bootstrap, std::shared_ptr<LocalBroker> local,
               const ClientOptions& options) {
  if (local != nullptr) {
    transport_ = std::make_unique<LocalTransport>(runtime_->loop(), std::move(local));
  } else {
    transport_ = std::make_unique<StreamTransport>(runtime_->loop(), runtime_->network());
  }
  cluster_options_.bootstrap = std::move(bootstrap);
  cluster_options_.connection.client_id = options.client_id;
  cluster_options_.connection.connect_timeout = options.connect_timeout;
  cluster_options_.connection.reconnect = {options.reconnect_backoff,
                                           options.reconnect_backoff_max};
  cluster_options_.retry = {options.retry_backoff, options.retry_backoff_max};
  cluster_options_.metadata_max_age = options.metadata_max_age;
  loop().post([] { on_thread_ = true; });
  thread_ = std::make_unique<io::RuntimeThread>(*runtime_, "weir-client");
}

Engine::~Engine() = default;  // the thread first: it is the last member

}  // namespace weir::client
