// ReaderNotice: one record a subject, written at once and then again and again.
#include <fmt/core.h>
#include <weir/readers.h>

#include "base/clock.h"
#include "base/log.h"
#include "contract/readers.h"
#include "io/runtime_thread.h"
#include "serde/parsing.h"

namespace weir {
inline namespace v1 {

class ReaderNotice::Impl {
 public:
  Impl(ReaderNoticeOptions options, Producer producer, std::string group,
       std::vector<serde_detail::ReaderSchema> schemas)
      : options_(options),
        producer_(std::move(producer)),
        group_(std::move(group)),
        schemas_(std::move(schemas)) {}

  ~Impl() { thread_.reset(); }

  Result<void> say() {
    const std::int64_t now_ms = SystemClock().wall_ms();
    for (const serde_detail::ReaderSchema& schema : schemas_) {
      const auto record = contract::reader_record(
          group_, schema.subject, serde::language_of(schema.type), schema.text, now_ms);
      const std::string key = contract::key_of(record);
      const std::string value = contract::value_of(record);
      if (auto sent =
              producer_.send({.topic = contract::readers_topic, .key = key, .value = value});
          !sent)
        return fail(std::move(sent.error()));
    }
    return producer_.flush(options_.timeout);
  }

  void go_on() {
    say_later();
    thread_ = std::make_unique<io::RuntimeThread>(*runtime_, "weir-readers");
  }

 private:
  void say_later() {
    runtime_->loop().call_after(options_.interval, [this] {
      if (auto said = say(); !said)
        log_warn("readers", fmt::format("{}: the notice of its readers was not written: {}",
                                        escape_for_log(group_, 128), said.error().message()));
      say_later();
    });
  }

  const ReaderNoticeOptions options_;
  Producer producer_;
  const std::string group_;
  const std::vector<serde_detail::ReaderSchema> schemas_;
  const std::unique_ptr<io::RealRuntime> runtime_ = io::RealRuntime::create();
  std::unique_ptr<io::RuntimeThread> thread_;
};

ReaderNotice::ReaderNotice(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReaderNotice::ReaderNotice(ReaderNotice&&) noexcept = default;
ReaderNotice& ReaderNotice::operator=(ReaderNotice&&) noexcept = default;
ReaderNotice::~ReaderNotice() = default;

Result<ReaderNotice> ReaderNotice::begin_reading(ReaderNoticeOptions options, Client& client,
                                                 std::string group,
                                                 std::vector<serde_detail::ReaderSchema> schemas) {
  if (group.empty() || schemas.empty())
    return fail(Errc::invalid_argument,
                "a notice of readers needs a group, and a topic whose types go by a registry");
  if (options.interval <= std::chrono::milliseconds::zero())
    return fail(Errc::invalid_argument, "a notice is repeated after some time, not at once");
  auto made = client.admin().create_topic({.name = std::string(contract::readers_topic),
                                           .partitions = 1,
                                           .replication_factor = options.replication_factor,
                                           .cleanup = Cleanup::compact,
                                           .settings = {}});
  if (!made && made.error().code() != Errc::topic_already_exists)
    return fail(std::move(made.error()));
  ProducerOptions producing;
  producing.linger = std::chrono::milliseconds(0);
  producing.max_block = options.timeout;
  producing.delivery_timeout = options.timeout;
  producing.request_timeout = std::min(producing.request_timeout, options.timeout);
  auto producer = client.producer(producing);
  if (!producer) return fail(std::move(producer.error()));
  auto impl =
      std::make_unique<Impl>(options, std::move(*producer), std::move(group), std::move(schemas));
  if (auto said = impl->say(); !said) return fail(std::move(said.error()));
  impl->go_on();
  return ReaderNotice(std::move(impl));
}

}  // namespace v1
}  // namespace weir
