#include "broker/transaction_service.h"

#include <fmt/core.h>

#include <utility>
#include <variant>

#include "base/check.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/internal_streams.h"
#include "kafka/batch_builder.h"

namespace weir::broker {
namespace {

using coordinator::MarkerOrder;
using coordinator::PartitionSet;
using coordinator::TransactionCoordinator;
using coordinator::TransactionEffects;
using coordinator::TransactionOwner;
using coordinator::WriteId;
using InitRequest = TransactionCoordinator::InitRequest;

coordinator::TransactionOptions options_from(const config::Settings& settings) {
  coordinator::TransactionOptions options;
  options.max_timeout_ms = settings.get_int32("transaction.max.timeout.ms");
  options.id_expiration = settings.get_ms("transactional.id.expiration.ms");
  return options;
}

}  // namespace

TransactionService::TransactionService(Broker& broker)
    : broker_(broker), coordinator_(options_from(broker.options().settings)) {}

TransactionService::~TransactionService() {
  *alive_ = false;
  broker_.loop().cancel(timer_);
}

coordinator::Now TransactionService::now() const {
  return {.mono = broker_.now(), .wall_ms = broker_.wall_ms()};
}

void TransactionService::load() {
  if (const Topic* topic = broker_.metadata().find(transactions_topic)) {
    for (auto* log : topic->logs) {
      // Of a transaction that was about to commit, nobody may guess that it was not.
      auto read =
          !log->lost().empty()
              ? Result<void>(fail(Errc::damaged, "records are lost to damage"))
              : read_stream(broker_.log(), *log,
                            {.record =
                                 [this](const kafka::BatchView&, const kafka::RecordView& record) {
                                   return coordinator_.load(*record.key, record.value, now());
                                 },
                             .marker = {}});
      if (read) continue;
      unavailable_ = Error(read.error().code(), fmt::format("{}: {}", log->spec().folder_name(),
                                                            read.error().message()));
      log_error("transactions",
                unavailable_->message() +
                    "; transactions are not served, nothing of the stream is changed");
      return;
    }
    if (coordinator_.id_count() > 0)
      log_info("transactions", fmt::format("{} transactional ids are loaded, {} transactions open",
                                           coordinator_.id_count(), coordinator_.open_count()));
  }
  run(coordinator_.loaded(now()));
}

coordinator::RequestId TransactionService::wait(Done done) {
  waiting_.emplace(++last_request_, std::move(done));
  return coordinator::RequestId{last_request_};
}

bool TransactionService::run(TransactionEffects effects) {
  bool accepted = true;
  for (auto& action : effects.actions) {
    if (const auto* write = std::get_if<WriteId>(&action)) {
      // What would stand behind a refused state is of a state that never was.
      if (accepted)
        accepted = append(*write);
      else
        run(coordinator_.failed(*write, now()));
    } else if (const auto& order = std::get<MarkerOrder>(action); accepted) {
      send_markers(order);
    } else {
      run(coordinator_.markers_refused(order.number, now()));
    }
  }
  for (auto& [request, answer] : effects.answers) {
    auto node = waiting_.extract(static_cast<std::uint64_t>(request));
    check(!node.empty(), "a request is answered once");
    node.mapped()(answer);
  }
  arm();
  return accepted;
}

bool TransactionService::append(WriteId write) {
  const coordinator::Record& record = coordinator_.record_of(write);
  const Topic* topic = broker_.metadata().find(transactions_topic);
  if (topic == nullptr) {  // deleted under us
    ended(write, fail(Errc::unknown_topic_or_partition, "the stream of transactions is gone"));
    return false;
  }
  kafka::BatchBuilder builder(record.key.size() + 512);
  builder.append(broker_.wall_ms(), std::string_view(record.key),
                 record.value ? std::optional<std::string_view>(*record.value) : std::nullopt);
  auto batch = builder.finish({});
  check(batch.has_value(), "a record of a transaction makes a batch");
  struct Call {
    bool returned = false;
    bool refused = false;
  };
  auto call = std::make_shared<Call>();
  topic->logs.front()->append(std::move(*batch), [this, alive = alive_, call,
                                                  write](const Result<log::Appended>& appended) {
    if (!*alive) return;
    call->refused = !call->returned && !appended;
    ended(write, appended ? Result<void>() : fail(appended.error()));
  });
  call->returned = true;
  return !call->refused;
}

void TransactionService::ended(WriteId write, const Result<void>& result) {
  if (!result && broker_.now() - last_warning_ >= std::chrono::seconds(1)) {
    last_warning_ = broker_.now();
    log_warn("transactions",
             "the state of transactions is not stored: " + result.error().message());
  }
  run(result ? coordinator_.written(write, now()) : coordinator_.failed(write, now()));
}

void TransactionService::send_markers(const MarkerOrder& order) {
  // Offsets that were committed in the transaction must stand before its marker.
  if (order.partitions.contains(offsets_topic)) broker_.groups().flush();
  const log::TransactionEnd end{.producer = order.producer,
                                .epoch = order.epoch,
                                .commit = order.commit,
                                .coordinator_epoch = broker_.log().leader_epoch().value,
                                .raises_epoch = order.raises_epoch};
  struct Sending {
    bool returned = false;
    std::optional<Error> refused;
  };
  auto sending = std::make_shared<Sending>();
  for (const auto& [name, partitions] : order.partitions) {
    const Topic* topic = broker_.metadata().find(name);
    for (const std::int32_t partition : partitions) {
      // Deleted since: there is nothing to decide in it.
      if (topic == nullptr || partition >= topic->partitions) continue;
      const bool offsets = name == offsets_topic;
      topic->logs[static_cast<std::size_t>(partition)]->append_end(
          end, [this, alive = alive_, sending, offsets, producer = order.producer,
                commit = order.commit](const Result<log::Appended>& appended) {
            if (!*alive) return;
            if (appended && offsets) broker_.groups().transaction_ended(producer, commit);
            const bool matters = !appended &&
                                 appended.error().code() != Errc::unknown_topic_or_partition &&
                                 appended.error().code() != Errc::invalid_producer_epoch;
            if (matters && !sending->returned) sending->refused = appended.error();
          });
    }
  }
  sending->returned = true;
  if (!sending->refused) {
    run(coordinator_.markers_sent(order.number, now()));
    return;
  }
  if (broker_.now() - last_warning_ >= std::chrono::seconds(1)) {
    last_warning_ = broker_.now();
    log_warn("transactions", fmt::format("{}: a marker cannot be written, trying again: {}",
                                         escape_for_log(order.id), sending->refused->message()));
  }
  run(coordinator_.markers_refused(order.number, now()));
}

void TransactionService::with_producer_id(
    std::move_only_function<void(std::optional<ProducerId>)> done) {
  broker_.metadata().new_producer_id(
      [alive = alive_, done = std::move(done)](Result<ProducerId> id) mutable {
        if (!*alive) return;
        done(id ? std::optional(*id) : std::nullopt);
      });
}

void TransactionService::init(const InitRequest& request, Done done) {
  if (unavailable_) return done({.error = Errc::coordinator_not_available});
  ensure_topic([this, alive = alive_, request = InitRequest(request), id = std::string(request.id),
                done = std::move(done)](const Result<void>& made) mutable {
    if (!*alive || !made) return done({.error = Errc::coordinator_not_available});
    request.id = id;
    if (!coordinator_.init_needs_producer(request)) {
      run(coordinator_.init(wait(std::move(done)), request, std::nullopt, now()));
      return;
    }
    with_producer_id([this, request, id = std::move(id),
                      done = std::move(done)](std::optional<ProducerId> fresh) mutable {
      if (!fresh) return done({.error = Errc::coordinator_not_available});
      request.id = id;
      run(coordinator_.init(wait(std::move(done)), request, fresh, now()));
    });
  });
}

void TransactionService::add(const TransactionOwner& owner, const PartitionSet& partitions,
                             std::int16_t client_version, Done done) {
  if (unavailable_) return done({.error = Errc::coordinator_not_available});
  run(coordinator_.add(wait(std::move(done)), owner, partitions, client_version, now()));
}

Errc TransactionService::admit(const TransactionOwner& owner, const PartitionSet& partitions,
                               bool implicit) {
  if (unavailable_) return Errc::coordinator_not_available;
  if (!implicit) return coordinator_.verify(owner, partitions);
  TransactionEffects effects;
  const Errc fault = coordinator_.admit(owner, partitions, now(), effects);
  if (fault != Errc::none) return fault;
  return run(std::move(effects)) ? Errc::none : Errc::kafka_storage_error;
}

void TransactionService::end(const TransactionOwner& owner, bool commit,
                             std::int16_t client_version, Done done) {
  if (unavailable_) return done({.error = Errc::coordinator_not_available});
  if (!coordinator_.end_needs_producer(owner, client_version)) {
    run(coordinator_.end(wait(std::move(done)), owner, commit, client_version, std::nullopt,
                         now()));
    return;
  }
  with_producer_id([this, owner = TransactionOwner(owner), id = std::string(owner.id), commit,
                    client_version,
                    done = std::move(done)](std::optional<ProducerId> fresh) mutable {
    if (!fresh) return done({.error = Errc::coordinator_not_available});
    owner.id = id;
    run(coordinator_.end(wait(std::move(done)), owner, commit, client_version, fresh, now()));
  });
}

void TransactionService::arm() {
  if (stopping_) return;
  const MonoTime next = coordinator_.next_deadline();
  if (next == armed_for_) return;
  broker_.loop().cancel(std::exchange(timer_, io::TimerId::none));
  armed_for_ = next;
  if (next == MonoTime::max()) return;
  timer_ = broker_.loop().call_at(next, [this] {
    timer_ = io::TimerId::none;
    armed_for_ = MonoTime::max();
    run(coordinator_.on_timer(now()));
  });
}

void TransactionService::ensure_topic(std::move_only_function<void(Result<void>)> done) {
  const auto& settings = broker_.options().settings;
  ensure_stream(broker_.metadata(), transactions_topic,
                settings.get_int32("transaction.state.log.num.partitions"),
                settings.text("transaction.state.log.segment.bytes"), std::move(done));
}

void TransactionService::stop() {
  stopping_ = true;
  broker_.loop().cancel(std::exchange(timer_, io::TimerId::none));
}

}  // namespace weir::broker
