#include "registry/election.h"

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/log.h"
#include "json/json.h"

namespace weir::registry {
namespace {

constexpr std::chrono::milliseconds poll_time{250};
constexpr std::chrono::milliseconds leave_time{3'000};
constexpr auto retry_pause = std::chrono::seconds(1);
constexpr std::size_t longest_url = 1024;

/// What a member says of itself.
struct Candidate {
  std::string url;
  bool eligible = false;
};

Candidate candidate_from(const std::optional<std::string>& data) {
  Candidate out;
  const auto value = data ? json::parse(*data) : fail(Errc::malformed, "");
  if (!value) return out;
  const auto* url = value->find("url");
  if (url != nullptr && url->as_string() != nullptr && url->as_string()->size() <= longest_url)
    out.url = *url->as_string();
  const auto* eligible = value->find("eligible");
  out.eligible = !out.url.empty() && eligible != nullptr && eligible->as_bool() != nullptr &&
                 *eligible->as_bool();
  return out;
}

/// Whoever leads goes on; else the eligible member of the lowest id. All hear who it is.
class LeaderAssignor final : public Assignor {
 public:
  LeaderAssignor(std::string url, bool eligible, std::function<void(std::string)> assigned)
      : said_(json::write(json::Object{{"url", url}, {"eligible", eligible}})),
        assigned_(std::move(assigned)) {}

  std::string_view name() const override { return "weir-leader"; }
  std::string_view protocol_type() const override { return "sr"; }
  bool cooperative() const override { return true; }
  std::optional<std::string> user_data(const std::vector<std::string>&) override { return said_; }

  Result<Assignments> assign(const PartitionCounts& partitions,
                             const std::vector<GroupMember>& members) override {
    Assignments out;
    const GroupMember* leader = nullptr;
    bool is_owner = false;
    for (const GroupMember& member : members) {
      if (!candidate_from(member.subscription.user_data).eligible) continue;
      const bool owns = !member.subscription.owned.empty();
      if (leader == nullptr || (owns && !is_owner) ||
          (owns == is_owner && member.id < leader->id)) {
        leader = &member;
        is_owner = owns;
      }
    }
    const std::string url =
        leader == nullptr ? "" : candidate_from(leader->subscription.user_data).url;
    for (const GroupMember& member : members) out[member.id].user_data = url;
    if (leader != nullptr)
      for (const auto& [topic, count] : partitions)
        if (count > 0) out[leader->id].partitions.push_back({topic, 0});
    return out;
  }

  void on_assignment(const GroupAssignment& assignment, const GroupMetadata&) override {
    assigned_(assignment.user_data.value_or(""));
  }

 private:
  std::string said_;
  std::function<void(std::string)> assigned_;
};

}  // namespace

std::shared_ptr<Assignor> leader_assignor(std::string url, bool eligible,
                                          std::function<void(std::string)> assigned) {
  return std::make_shared<LeaderAssignor>(std::move(url), eligible, std::move(assigned));
}

/// The worker's, but for what says otherwise.
struct Election::State final : RebalanceObserver {
  void on_assigned(Consumer& member, const std::vector<TopicPartition>& partitions) override {
    owned = true;
    // The partition stands for the office; its records are read elsewhere.
    if (auto r = member.pause(partitions); !r)
      log_warn("registry", "election: " + r.error().message());
  }
  void on_revoked(Consumer&, const std::vector<TopicPartition>&) override { owned = false; }
  void on_lost(Consumer&, const std::vector<TopicPartition>&) override { owned = false; }

  std::optional<Consumer> consumer;
  std::atomic<bool> owned = false;  // read by the loop
  std::optional<Error> error;
  std::atomic<bool> stopping = false;
  // Of the loop.
  std::string leader_url;
  bool alive = true;
};

Election::Election(io::Runtime& runtime, Client& client, ElectionOptions options, Changed changed)
    : runtime_(runtime),
      changed_(std::move(changed)),
      own_url_(options.url),
      state_(std::make_shared<State>()),
      worker_(runtime.make_worker("registry-elect")) {
  const std::weak_ptr<State> weak = state_;
  auto assignor = leader_assignor(options.url, options.eligible, [this, weak](std::string url) {
    runtime_.loop().post([this, weak, url = std::move(url)]() mutable {
      const auto state = weak.lock();
      if (state == nullptr || !state->alive) return;
      state->leader_url = std::move(url);
      tell();
    });
  });
  worker_->run(
      [state = state_, &client, options, assignor = std::move(assignor)] {
        auto opened = client.consumer({.group = options.group,
                                       .topics = {options.topic},
                                       .assignors = {assignor},
                                       .observer = state,
                                       .session_timeout = std::chrono::seconds(10),
                                       .heartbeat_interval = std::chrono::seconds(2)});
        if (opened)
          state->consumer.emplace(std::move(*opened));
        else
          state->error = opened.error();
      },
      [this, state = state_] {
        if (!state->alive) return;
        if (state->error)
          log_error("registry", "election: " + state->error->message());
        else
          poll_on();
      });
}

Election::~Election() {
  state_->alive = false;
  state_->stopping = true;
  worker_->run(
      [state = state_] {
        // A member that leaves makes way at once; the observer is this state, so it goes first.
        if (state->consumer) (void)state->consumer->close(leave_time);
        state->consumer.reset();
      },
      [] {});
}

void Election::poll_on() {
  worker_->run(
      [state = state_] {
        state->error.reset();
        if (state->stopping) return;
        if (auto r = state->consumer->poll(poll_time); !r) state->error = r.error();
      },
      [this, state = state_] {
        if (!state->alive) return;
        tell();
        if (!state->error) return poll_on();
        log_warn("registry", "election: " + state->error->message());
        runtime_.loop().call_after(retry_pause, [this, state] {
          if (state->alive) poll_on();
        });
      });
}

void Election::tell() {
  Leadership now{.ours = state_->owned, .url = state_->leader_url};
  // The news that this node was chosen comes before the office itself.
  if (!now.ours && now.url == own_url_) now.url.clear();
  if (now == known_) return;
  known_ = now;
  changed_(known_);
}

}  // namespace weir::registry
