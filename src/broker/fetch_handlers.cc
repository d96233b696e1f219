// Fetch: whole batches below the end that the reader may see, now or when there are enough (KIP-74
// limits).
#include <fmt/core.h>

#include <algorithm>

#include "base/limits.h"
#include "broker/broker.h"
#include "broker/handlers.h"

namespace weir::broker {

/// One Fetch request under way.
class PendingFetch : public std::enable_shared_from_this<PendingFetch> {
 public:
  struct Part {
    FetchTarget target;
    PartitionId id;
    Errc error = Errc::none;
    std::vector<io::OutPiece> pieces;
    std::uint64_t bytes = 0;
    std::vector<log::AbortedTransaction> aborted;
  };

  PendingFetch(Broker& broker, RequestInfo info, kafka::FetchRequest request,
               FetchSessions::Opened session, Reply<kafka::FetchResponse> reply)
      : broker_(broker),
        info_(std::move(info)),
        request_(std::move(request)),
        session_(std::move(session)),
        reply_(std::move(reply)) {
    const auto most = broker_.metadata().broker_settings().get_int("fetch.max.bytes");
    bytes_left_ = static_cast<std::uint64_t>(std::clamp<std::int64_t>(request_.max_bytes, 0, most));
    resolve();
  }

  const std::vector<Part>& parts() const { return parts_; }
  log::PartitionLog* log_of(const Part& part) const {
    if (part.error != Errc::none) return nullptr;
    return broker_.log().find(part.id);
  }

  /// True if it need not wait (any longer).
  bool ready() {
    if (request_.max_wait_ms <= 0 || parts_.empty()) return true;
    std::uint64_t total = 0;
    const auto wanted = static_cast<std::uint64_t>(std::max(request_.min_bytes, 0));
    for (auto& part : parts_) {
      const auto* log = log_of(part);
      if (log == nullptr || log->fenced()) return true;
      const Offset offset(part.target.fetch_offset);
      if (offset < log->log_start() || offset > log->next_offset()) return true;
      if (check_epoch(*log, part.target) != Errc::none ||
          diverging(*log, part.target).epoch.value >= 0)
        return true;
      const auto most = static_cast<std::uint64_t>(std::max(part.target.max_bytes, 1));
      total += log->readable_bytes(offset, std::min(most, std::max<std::uint64_t>(wanted, 1)),
                                   isolation());
    }
    return total >= wanted;
  }

  Duration max_wait() const { return std::chrono::milliseconds(request_.max_wait_ms); }

  void read_all() {
    if (answered) return;
    answered = true;
    if (wait_began_) {
      const Duration waited = broker_.now() - *wait_began_;
      reply_.note_wait(waited);
      broker_.traffic().fetch_wait.observe(waited);
    }
    read_on();
  }

  /// It cannot be answered at once.
  void begin_to_wait() { wait_began_ = broker_.now(); }

  bool answered = false;
  io::TimerId timer = io::TimerId::none;

 private:
  log::Isolation isolation() const {
    return request_.isolation_level == 1 ? log::Isolation::committed : log::Isolation::uncommitted;
  }

  void resolve() {
    const bool by_id = info_.api_version >= 13;
    auto targets = session_.session != nullptr && session_.incremental ? session_.session->targets()
                                                                       : targets_of(request_);
    parts_.reserve(targets.size());
    for (auto& target : targets) {
      const Topic* found =
          by_id ? broker_.metadata().find(target.topic_id) : broker_.metadata().find(target.topic);
      Part part{.target = std::move(target),
                .id = {},
                .error = Errc::none,
                .pieces = {},
                .bytes = 0,
                .aborted = {}};
      const auto index = part.target.partition;
      if (found != nullptr) part.id = {.topic = found->id, .partition = index};
      if (found == nullptr) {
        part.error = by_id ? Errc::unknown_topic_id : Errc::unknown_topic_or_partition;
      } else if (index < 0 || index >= found->partitions) {
        part.error = Errc::unknown_topic_or_partition;
      } else if (request_.replica_id >= 0 || request_.replica_state.replica_id >= 0) {
        part.error =
            Errc::topic_authorization_failed;  // nobody may pose as a replica (CVE-2018-1288)
      }
      parts_.push_back(std::move(part));
    }
  }

  static Errc check_epoch(const log::PartitionLog& log, const FetchTarget& asked) {
    const auto present = log.leader_epoch().value;
    if (asked.current_leader_epoch >= 0 && asked.current_leader_epoch != present)
      return asked.current_leader_epoch < present ? Errc::fenced_leader_epoch
                                                  : Errc::unknown_leader_epoch;
    // The reader has seen a later history than this one: a log that was set back.
    return asked.last_fetched_epoch > present ? Errc::offset_out_of_range : Errc::none;
  }

  /// Where the reader's last epoch ended here, if that is before where it wants to read on.
  static log::LeaderEpochs::End diverging(const log::PartitionLog& log, const FetchTarget& asked) {
    if (asked.last_fetched_epoch < 0) return {};
    const auto end =
        log.leader_epochs().end_of(LeaderEpoch(asked.last_fetched_epoch), log.next_offset());
    if (end.epoch.value < 0) return {};
    if (end.epoch.value < asked.last_fetched_epoch || end.end.value < asked.fetch_offset)
      return end;
    return {};
  }

  /// Asks the partitions in order and answers; each may take what those before it have left
  /// (KIP-74). As long as their own limits fit together they are asked at once: who looks into
  /// segments is woken once then, and not for each. A first batch beyond its own limit may so take
  /// the whole beyond `max_bytes`, by itself at most.
  void read_on() {
    asking_ = true;
    while (next_ < parts_.size() && !waits_for_others(parts_[next_])) ask(next_++);
    asking_ = false;
    if (reading_ > 0) return;
    // The one that was to give a batch of any size gave none. Now each may, in turn.
    if (!any_bytes_ && overlapped_ && !one_by_one_) {
      one_by_one_ = true;
      next_ = 0;
      return read_on();
    }
    answer();
  }

  bool waits_for_others(const Part& part) const {
    return reading_ > 0 && (one_by_one_ || own_limit(part) > bytes_free());
  }
  static std::uint64_t own_limit(const Part& part) {
    return static_cast<std::uint64_t>(std::max(part.target.max_bytes, 0));
  }
  std::uint64_t bytes_free() const { return bytes_left_ - std::min(bytes_left_, bytes_asked_); }

  void ask(std::size_t at) {
    Part& part = parts_[at];
    auto* log = log_of(part);
    if (log == nullptr) {
      if (part.error == Errc::none) part.error = Errc::unknown_topic_or_partition;
      return;
    }
    part.error = check_epoch(*log, part.target);
    if (part.error != Errc::none || diverging(*log, part.target).epoch.value >= 0) return;
    if (bytes_left_ == 0 && any_bytes_) return;
    const std::uint64_t most = std::min(own_limit(part), bytes_free());
    const bool at_least_one = !any_bytes_ && reading_ == 0;
    overlapped_ = ++reading_ > 1 || overlapped_;
    bytes_asked_ += most;
    log->read(Offset(part.target.fetch_offset),
              {.max_bytes = most, .at_least_one = at_least_one, .isolation = isolation()},
              [self = shared_from_this(), at, most](Result<log::ReadData> data) {
                --self->reading_;
                self->bytes_asked_ -= most;
                self->note(self->parts_[at], std::move(data));
                if (!self->asking_) self->read_on();
              });
  }

  void note(Part& part, Result<log::ReadData> data) {
    if (!data) {
      part.error = data.error().code();
      // What is wrong with the disk is the operator's concern too.
      if (part.error != Errc::offset_out_of_range)
        broker_.log_peer(info_.peer, "fetch: " + data.error().message());
      return;
    }
    part.bytes = data->bytes;
    part.pieces = std::move(data->pieces);
    part.aborted = std::move(data->aborted);
    any_bytes_ = any_bytes_ || part.bytes > 0;
    bytes_left_ -= std::min(bytes_left_, part.bytes);
  }

  void answer() {
    kafka::FetchResponse response;
    Externals externals;
    if (session_.session != nullptr) response.session_id = session_.session->id();
    const FetchTarget* before = nullptr;
    for (auto& part : parts_) {
      auto out = describe(part);
      if (session_.session != nullptr && !must_tell(part, out)) continue;
      out.records = part.bytes > 0 ? kafka::Records::external(part.bytes)
                                   : kafka::Records(std::string_view());
      if (part.bytes > 0) externals.push_back(std::move(part.pieces));
      const FetchTarget& target = part.target;
      if (before == nullptr || before->topic_id != target.topic_id || before->topic != target.topic)
        response.responses.push_back({.topic_id = target.topic_id,
                                      .topic = target.topic,
                                      .partitions = {},
                                      .unknown_tags = {}});
      before = &target;
      response.responses.back().partitions.push_back(std::move(out));
    }
    reply_(response, std::move(externals));
  }

  // Everything of the partition but its records.
  kafka::FetchResponse::PartitionData describe(const Part& part) const {
    kafka::FetchResponse::PartitionData out;
    out.partition_index = part.target.partition;
    out.error_code = wire_code(part.error);
    out.high_watermark = -1;
    if (info_.api_version >= 11) out.preferred_read_replica = -1;
    const auto* log = broker_.log().find(part.id);
    if (log != nullptr) out.aborted_transactions.reset();  // null, unless somebody asks for them
    if (isolation() == log::Isolation::committed) {
      auto& aborted = out.aborted_transactions.emplace();
      for (const auto& transaction : part.aborted)
        aborted.push_back({.producer_id = transaction.producer.value,
                           .first_offset = transaction.first.value,
                           .unknown_tags = {}});
    }
    if (log == nullptr || part.error != Errc::none) return out;
    out.high_watermark = log->high_watermark().value;
    out.last_stable_offset = log->last_stable_offset().value;
    out.log_start_offset = log->log_start().value;
    if (const auto end = diverging(*log, part.target); end.epoch.value >= 0)
      out.diverging_epoch = {
          .epoch = end.epoch.value, .end_offset = end.end.value, .unknown_tags = {}};
    return out;
  }

  bool must_tell(const Part& part, const kafka::FetchResponse::PartitionData& out) {
    const bool news = session_.session->must_tell(
        part.target,
        {.high_watermark = out.high_watermark,
         .last_stable_offset = out.last_stable_offset,
         .log_start = out.log_start_offset},
        part.bytes > 0, out.error_code != 0 || out.diverging_epoch.epoch >= 0);
    return news || !session_.incremental;
  }

  Broker& broker_;
  RequestInfo info_;
  kafka::FetchRequest request_;
  FetchSessions::Opened session_;
  Reply<kafka::FetchResponse> reply_;
  std::vector<Part> parts_;
  std::uint64_t bytes_left_ = 0;
  std::uint64_t bytes_asked_ = 0;  // limits of the reads under way
  std::size_t next_ = 0;           // of parts_, to be asked
  std::size_t reading_ = 0;        // reads under way
  bool asking_ = false;            // in read_on()
  bool overlapped_ = false;        // two reads were under way at once
  bool one_by_one_ = false;
  bool any_bytes_ = false;
  std::optional<MonoTime> wait_began_;
};

FetchWaiters::~FetchWaiters() {
  for (auto& [id, list] : waiting_)
    for (const auto& weak : list)
      if (const auto fetch = weak.lock()) broker_.loop().cancel(fetch->timer);
}

void FetchWaiters::start(std::shared_ptr<PendingFetch> fetch) {
  if (fetch->ready()) return answer(fetch);
  fetch->begin_to_wait();
  for (const auto& part : fetch->parts()) {
    const auto* log = fetch->log_of(part);
    if (log == nullptr) continue;
    auto& list = waiting_[log->spec().id];
    // Fetches that other partitions answered leave their traces here; not for ever.
    if (list.size() >= 32) std::erase_if(list, [](const auto& w) { return w.expired(); });
    list.push_back(fetch);
  }
  fetch->timer = broker_.loop().call_after(fetch->max_wait(), [this, fetch] { answer(fetch); });
}

void FetchWaiters::answer(const std::shared_ptr<PendingFetch>& fetch) {
  broker_.loop().cancel(std::exchange(fetch->timer, io::TimerId::none));
  fetch->read_all();
}

void FetchWaiters::on_change(log::PartitionLog& partition) {
  const auto found = waiting_.find(partition.spec().id);
  if (found == waiting_.end()) return;
  auto list = std::move(found->second);
  found->second.clear();
  std::vector<std::weak_ptr<PendingFetch>> still;
  for (auto& weak : list) {
    const auto fetch = weak.lock();
    if (fetch == nullptr || fetch->answered) continue;
    if (fetch->ready()) {
      answer(fetch);
    } else {
      still.push_back(std::move(weak));
    }
  }
  if (still.empty()) return;
  auto& now = waiting_[partition.spec().id];
  now.insert(now.end(), std::make_move_iterator(still.begin()),
             std::make_move_iterator(still.end()));
}

void FetchWaiters::answer_all() {
  for (auto& [id, list] : std::exchange(waiting_, {}))
    for (const auto& weak : list)
      if (const auto fetch = weak.lock(); fetch != nullptr && !fetch->answered) answer(fetch);
}

void handle_fetch(Broker& broker, RequestInfo info, kafka::FetchRequest request,
                  Reply<kafka::FetchResponse> reply) {
  std::size_t count = 0;
  for (const auto& topic : request.topics) count += topic.partitions.size();
  if (count > limits::partitions_per_request)
    return reply.close(fmt::format("a Fetch of {} partitions, at most {} are served", count,
                                   limits::partitions_per_request));
  auto session = broker.fetch_sessions().open(request, info.api_version, broker.now());
  if (session.error != Errc::none) {
    kafka::FetchResponse response;
    response.error_code = wire_code(session.error);
    return reply(response);
  }
  broker.fetch_waiters().start(std::make_shared<PendingFetch>(
      broker, std::move(info), std::move(request), std::move(session), std::move(reply)));
}

}  // namespace weir::broker
