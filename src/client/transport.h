// How a client reaches a broker: TCP, TLS, or a frame pipe to a broker in this process.
#pragma once

#include <weir/client.h>

#include <functional>
#include <memory>

#include "client/login.h"
#include "client/security.h"
#include "io/frame.h"
#include "io/net.h"

namespace weir::client {

using ChannelDone = std::move_only_function<void(Result<std::unique_ptr<io::FrameChannel>>)>;

/// Opens channels. Owner: whoever made the client's core; outlives it. Threads: the loop's.
class Transport {
 public:
  virtual ~Transport() = default;
  /// `done` is called exactly once, perhaps before this returns. With TLS its handshake is done.
  virtual void connect(const io::Endpoint& to, ChannelDone done) = 0;
  /// With which every connection authenticates; nullptr: the broker asks for nothing.
  virtual Login* login() { return nullptr; }
  /// For messages about connections that end early.
  virtual SecurityProtocol protocol() const { return SecurityProtocol::plaintext; }
};

/// TCP, real or simulated.
class StreamTransport final : public Transport {
 public:
  StreamTransport(io::Loop& loop, io::Network& network) : loop_(loop), network_(network) {}
  void connect(const io::Endpoint& to, ChannelDone done) override;

 private:
  io::Loop& loop_;
  io::Network& network_;
};

/// TCP with TLS, SASL, or both.
class SecureTransport final : public Transport {
 public:
  SecureTransport(io::Runtime& runtime, Security security, Duration handshake_timeout);
  void connect(const io::Endpoint& to, ChannelDone done) override;
  Login* login() override { return login_.get(); }
  SecurityProtocol protocol() const override { return security_.protocol; }

 private:
  io::Runtime& runtime_;
  const Security security_;
  const Duration handshake_timeout_;
  std::unique_ptr<Login> login_;  // absent: TLS alone
};

/// One broker in this process, whatever address is asked for.
class LocalTransport final : public Transport {
 public:
  LocalTransport(io::Loop& loop, std::shared_ptr<LocalBroker> broker)
      : loop_(loop), broker_(std::move(broker)) {}
  void connect(const io::Endpoint&, ChannelDone done) override {
    done(broker_->open_channel(loop_));
  }

 private:
  io::Loop& loop_;
  std::shared_ptr<LocalBroker> broker_;  // shared with the application, which opened it
};

}  // namespace weir::client
