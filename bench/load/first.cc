// How soon a broker that is being started acknowledges a record: tries until it does.
#include <fmt/core.h>

#include <memory>

#include "kafka/batch_builder.h"
#include "kafka/messages/produce.h"
#include "run.h"

namespace weir::load {
namespace {

constexpr auto connect_pause = std::chrono::microseconds(250);
constexpr auto retry_pause = std::chrono::milliseconds(1);
constexpr std::int16_t produce_version = 9;

class FirstRun final : public Run {
 public:
  FirstRun(io::Runtime& runtime, const Options& options, Done done)
      : runtime_(runtime),
        options_(options),
        done_(std::move(done)),
        deadline_(runtime.loop().now() +
                  std::chrono::seconds(static_cast<std::int64_t>(options.wait))) {
    attempt();
  }

 private:
  std::int64_t now_ns() const { return runtime_.loop().now().time_since_epoch().count(); }

  void again(const Error& why, Duration pause) {
    if (runtime_.loop().now() >= deadline_) return done_(fail(why));
    runtime_.loop().call_after(pause, [this] {
      connection_ == nullptr || why_closed_ ? attempt() : (made_ ? produce() : create());
    });
  }

  void attempt() {
    const auto to = io::Endpoint::parse(options_.bootstrap);
    if (!to) return done_(fail(to.error()));
    why_closed_ = false;
    Connection::open(runtime_, *to, [this](Result<std::unique_ptr<Connection>> opened) {
      if (!opened) return again(opened.error(), connect_pause);
      if (listening_ns_ == 0) listening_ns_ = now_ns();
      connection_ = std::move(*opened);
      made_ = !options_.create;
      made_ ? produce() : create();
    });
  }

  void create() {
    create_topic(*connection_, options_, [this](const Result<void>& made) {
      if (!made) return failed(made.error());
      made_ = true;
      produce();
    });
  }

  void failed(const Error& why) {
    why_closed_ = why.code() == Errc::connection_closed;
    again(why, retry_pause);
  }

  void produce() {
    kafka::BatchBuilder builder;
    builder.append(runtime_.loop().clock().wall_ms(), std::nullopt, std::string_view("first"));
    const Slice batch = std::move(*builder.finish({}));
    kafka::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 30'000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = options_.topic;
    topic.partition_data.push_back(
        {.index = 0, .records = kafka::Records(batch.view()), .unknown_tags = {}});
    connection_->call<kafka::ProduceResponse>(
        request, produce_version, [this](Result<kafka::ProduceResponse> answer) {
          if (!answer) return failed(answer.error());
          if (answer->responses.size() != 1 || answer->responses[0].partition_responses.size() != 1)
            return done_(fail(Errc::protocol_error, "Produce: want one partition in the answer"));
          const auto code = answer->responses[0].partition_responses[0].error_code;
          if (code != 0)
            return failed(Error(errc_from_wire(code), std::string(name_of(errc_from_wire(code)))));
          done_(fmt::format(R"("mode": "first", "listening_ns": {}, "acknowledged_ns": {})",
                            listening_ns_, now_ns()));
        });
  }

  io::Runtime& runtime_;
  const Options& options_;
  Done done_;
  MonoTime deadline_;
  std::unique_ptr<Connection> connection_;
  std::int64_t listening_ns_ = 0;
  bool made_ = false;
  bool why_closed_ = false;
};

}  // namespace

std::unique_ptr<Run> start_first(io::Runtime& runtime, const Options& options, Run::Done done) {
  return std::make_unique<FirstRun>(runtime, options, std::move(done));
}

}  // namespace weir::load
