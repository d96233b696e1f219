#include "streams_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <tuple>

#include "streams/names.h"

namespace weir::tests {
namespace {

using namespace weir::streams;
using namespace streams_case;

using Lines = std::vector<std::string>;

std::int64_t time_of(const Record& record) { return record.timestamp.time_since_epoch().count(); }
std::int64_t number(const std::string& bytes) { return int64_codec.decode(bytes).value(); }
std::string shown(const std::string& key, const Window& window) {
  return fmt::format("{}@{}..{}", key, window.start_ms, window.end_ms);
}

/// Sessions of one partition, as plain lists.
class SessionModel {
 public:
  /// What a record makes the table say, in order: "key@start..end=count at time".
  void add(const std::string& key, std::int64_t at, Lines& told) {
    const std::int64_t open = time_ - (gap_ms + grace_ms) + 1;  // what can still be found
    time_ = std::max(time_, at);
    Window session{at, at};
    std::int64_t count = 1;
    auto& all = sessions_[key];
    std::vector<Window> found;
    for (const auto& [end, one] : all)
      if (end >= std::max(open, at - gap_ms) && one.start <= at + gap_ms) {
        session.start_ms = std::min(session.start_ms, one.start);
        session.end_ms = std::max(session.end_ms, end);
        count += one.count;
        found.push_back({one.start, end});
      }
    if (session.end_ms < time_ - grace_ms - gap_ms) return;
    if (found.size() > 1) ++merged_;
    const bool stays = session.start_ms == session.end_ms && !found.empty();
    for (const Window& one : found) {
      all.erase(one.end_ms);
      if (!stays) told.push_back(fmt::format("{}=gone at {}", shown(key, one), one.end_ms));
    }
    all[session.end_ms] = {session.start_ms, count};
    told.push_back(fmt::format("{}={} at {}", shown(key, session), count, session.end_ms));
  }
  /// Those that readers find for sure.
  void live(std::map<std::pair<std::string, Window>, std::int64_t>& out) const {
    for (const auto& [key, all] : sessions_)
      for (const auto& [end, one] : all)
        if (end > time_ - (gap_ms + grace_ms)) out[{key, {one.start, end}}] = one.count;
  }
  std::uint64_t merged() const { return merged_; }

 private:
  struct Session {
    std::int64_t start = 0;
    std::int64_t count = 0;
  };
  std::map<std::string, std::map<std::int64_t, Session>> sessions_;  // by key, by end
  std::int64_t time_ = -1;
  std::uint64_t merged_ = 0;
};

/// The outer join of one partition: every record of both sides that can still meet, and those that
/// wait.
class JoinModel {
 public:
  void add(const std::string& key, const std::string& value, std::int64_t at, Lines& told) {
    const bool left = is_left(value);
    time_ = std::max(time_, at);
    if (at == time_) tell_overdue(told);
    Side& own = sides_[left ? 1 : 0];
    Side& other = sides_[left ? 0 : 1];
    bool met = false;
    std::vector<Waiting> partners;
    for (const auto& [when, one] : other.kept)
      if (one.first == key && std::abs(when - at) <= apart_ms && when > other.time - retention_ms)
        partners.push_back({when, !left, one.first, one.second});
    for (const Waiting& partner : partners) {
      met = true;
      tell(told, key, left ? value : partner.value, left ? partner.value : value,
           std::max(at, partner.at));
      ++joined_;
      std::erase_if(waiting_, [&](const Waiting& w) {
        return w.at == partner.at && w.left == partner.left && w.key == key;
      });
    }
    if (!met && at + apart_ms + grace_ms < time_) {
      tell_alone(told, {at, left, key, value});
    } else if (!met) {
      waiting_.push_back({at, left, key, value, ++came_});
    }
    own.time = std::max(own.time, at);
    if (at > own.time - retention_ms) own.kept.emplace(at, std::pair(key, value));
  }
  std::uint64_t joined() const { return joined_; }
  std::uint64_t alone() const { return alone_; }

 private:
  static constexpr std::int64_t retention_ms = 2 * apart_ms + grace_ms;
  struct Side {
    std::multimap<std::int64_t, std::pair<std::string, std::string>> kept;
    std::int64_t time = -1;
  };
  struct Waiting {
    std::int64_t at = 0;
    bool left = false;
    std::string key;
    std::string value;
    std::uint64_t number = 0;  // in the order in which they came
  };
  static void tell(Lines& told, const std::string& key, const std::string& left,
                   const std::string& right, std::int64_t at) {
    told.push_back(fmt::format("{}={}+{} at {}", key, left, right, at));
  }
  void tell_alone(Lines& told, const Waiting& one) {
    ++alone_;
    tell(told, one.key, one.left ? one.value : "none", one.left ? "none" : one.value, one.at);
  }
  /// By time, the right side before the left, by key, as they came.
  void tell_overdue(Lines& told) {
    std::vector<Waiting> over;
    std::erase_if(waiting_, [&](const Waiting& one) {
      if (one.at + apart_ms + grace_ms >= time_) return false;
      over.push_back(one);
      return true;
    });
    std::ranges::sort(over, {}, [](const Waiting& one) {
      return std::tuple(one.at, one.left, one.key, one.number);
    });
    for (const Waiting& one : over) tell_alone(told, one);
  }

  Side sides_[2];  // right, left
  std::vector<Waiting> waiting_;
  std::int64_t time_ = -1;
  std::uint64_t came_ = 0;
  std::uint64_t joined_ = 0;
  std::uint64_t alone_ = 0;
};

/// The inputs say what must be written, the log in which order.
class Model {
 public:
  explicit Model(const StreamsFound& found) : found_(found) {}

  StreamsChecked check_all() {
    for (std::int32_t p = 0; p < partitions; ++p) {
      if (!found_.purged) {
        check_repartition(p);
        check_counts(p);
      }
      check_windows(p);
      check_sessions(p);
      check_pairs(p);
      check_named(p);
    }
    if (found_.purged)
      check_totals();
    else
      check_all_inputs_went_through();
    check_changelog();
    check_ruled();
    check_ticks();
    check_tables();
    return std::move(checked_);
  }

 private:
  const std::string repartition_ = repartition_topic("app", "by-letter");

  void anomaly(std::string what) { checked_.anomalies.push_back(std::move(what)); }
  void differ(const std::string& what, const Lines& wanted, const Lines& found) {
    std::size_t i = 0;
    while (i < wanted.size() && i < found.size() && wanted[i] == found[i]) ++i;
    if (i == wanted.size() && i == found.size()) return;
    anomaly(fmt::format("stream-model: {}: {} of {} records; number {} is {}, want {}", what,
                        found.size(), wanted.size(), i, i < found.size() ? found[i] : "missing",
                        i < wanted.size() ? wanted[i] : "nothing more"));
  }

  /// Each input once, those of one partition in their order.
  void check_repartition(std::int32_t p) {
    std::map<std::string, std::pair<std::int32_t, std::size_t>> place;  // of each value
    for (std::int32_t from = 0; from < partitions; ++from) {
      const auto& inputs = found_.records("in", from);
      for (std::size_t i = 0; i < inputs.size(); ++i) place[*inputs[i].value] = {from, i};
    }
    std::map<std::int32_t, std::size_t> last;
    for (const Record& record : found_.records(repartition_, p)) {
      const auto at = place.find(*record.value);
      if (at == place.end()) {
        anomaly("stream-model: " + *record.value + " was never put in");
        continue;
      }
      const auto [from, index] = at->second;
      const auto before = last.find(from);
      if (before != last.end() && before->second >= index)
        anomaly(fmt::format("stream-model: input {} of partition {} comes behind {}", index, from,
                            before->second));
      last[from] = index;
      ++passed_[*record.value];
    }
  }
  void check_all_inputs_went_through() {
    for (std::int32_t p = 0; p < partitions; ++p)
      for (const Record& record : found_.records("in", p)) {
        ++checked_.inputs;
        if (passed_[*record.value] != 1)
          anomaly(fmt::format("stream-model: {} went through {} times", *record.value,
                              passed_[*record.value]));
      }
  }

  /// Without the repartition its order is not known: each letter is counted from 1 up to as often
  /// as it was put in.
  void check_totals() {
    std::map<std::string, std::int64_t> totals;
    for (std::int32_t p = 0; p < partitions; ++p)
      for (const Record& record : found_.records("in", p)) {
        ++totals[record.value->substr(0, 1)];
        ++checked_.inputs;
      }
    std::map<std::string, std::int64_t> counts;
    for (std::int32_t p = 0; p < partitions; ++p)
      for (const Record& record : found_.records("counts", p)) {
        ++checked_.outputs;
        if (number(*record.value) != counts[*record.key] + 1)
          anomaly(fmt::format("stream-model: {} is counted {} behind {}", *record.key,
                              number(*record.value), counts[*record.key]));
        counts[*record.key] = number(*record.value);
        all_counts_[{p, *record.key}] = counts[*record.key];
      }
    if (counts != totals) anomaly("stream-model: a letter is not counted to its end");
  }

  void check_counts(std::int32_t p) {
    std::map<std::string, std::int64_t> counts;
    std::map<std::string, std::int64_t> times;
    Lines wanted;
    for (const Record& record : found_.records(repartition_, p)) {
      auto& time = times.try_emplace(*record.key, -1).first->second;
      time = std::max(time, time_of(record));
      wanted.push_back(fmt::format("{}={} at {}", *record.key, ++counts[*record.key], time));
    }
    Lines found;
    for (const Record& record : found_.records("counts", p))
      found.push_back(
          fmt::format("{}={} at {}", *record.key, number(*record.value), time_of(record)));
    checked_.outputs += found.size();
    differ("counts-" + std::to_string(p), wanted, found);
    for (const auto& [key, count] : counts) all_counts_[{p, key}] = count;
  }

  void check_windows(std::int32_t p) {
    std::map<std::pair<std::int64_t, std::string>, std::pair<std::int64_t, std::int64_t>> windows;
    std::int64_t time = -1;
    std::int64_t told_ms = -1;
    Lines wanted;
    Lines finals;
    std::set<std::pair<std::int64_t, std::string>> held;
    for (const Record& record : found_.records("in", p)) {
      const std::int64_t at = time_of(record);
      time = std::max(time, at);
      const std::int64_t start = at / window_ms * window_ms;
      if (start + window_ms <= time - grace_ms) continue;
      auto& [count, latest] = windows.try_emplace({start, *record.key}, 0, -1).first->second;
      latest = std::max(latest, at);
      const Window window{start, start + window_ms};
      wanted.push_back(fmt::format("{}={} at {}", shown(*record.key, window), ++count, latest));
      held.emplace(start, *record.key);
      told_ms = std::max(told_ms, latest);
      while (!held.empty() && held.begin()->first + window_ms <= told_ms - grace_ms) {
        const auto closed = held.extract(held.begin()).value();
        finals.push_back(fmt::format("{}={} at {}",
                                     shown(closed.second, {closed.first, closed.first + window_ms}),
                                     windows[closed].first, windows[closed].second));
      }
    }
    checked_.closed += finals.size();
    differ("windows-" + std::to_string(p), wanted, told_of("windows", p, window_codec));
    differ("finals-" + std::to_string(p), finals, told_of("finals", p, window_codec));
  }
  /// Rows of a windowed table as they were written.
  template <class KeyCodec>
  Lines told_of(const std::string& topic, std::int32_t p, const KeyCodec& codec) {
    Lines found;
    for (const Record& record : found_.records(topic, p)) {
      const auto key = codec.decode(*record.key).value();
      found.push_back(fmt::format("{}={} at {}", shown(key.key, key.window),
                                  record.value ? std::to_string(number(*record.value)) : "gone",
                                  time_of(record)));
    }
    checked_.outputs += found.size();
    return found;
  }

  void check_sessions(std::int32_t p) {
    SessionModel model;
    Lines wanted;
    for (const Record& record : found_.records("in", p))
      model.add(*record.key, time_of(record), wanted);
    differ("sessions-" + std::to_string(p), wanted, told_of("sessions", p, session_codec));
    checked_.merged += model.merged();
    model.live(visits_);
  }

  void check_pairs(std::int32_t p) {
    JoinModel model;
    Lines wanted;
    for (const Record& record : found_.records("in", p))
      model.add(*record.key, *record.value, time_of(record), wanted);
    Lines found;
    for (const Record& record : found_.records("pairs", p))
      found.push_back(fmt::format("{}={} at {}", *record.key, *record.value, time_of(record)));
    checked_.outputs += found.size();
    checked_.joined += model.joined();
    checked_.alone += model.alone();
    differ("pairs-" + std::to_string(p), wanted, found);
  }

  void check_named(std::int32_t p) {
    const auto names = last_of("names");
    Lines wanted;
    for (const Record& record : found_.records("in", p)) {
      const auto name = names.find(record.value->substr(0, 1));
      wanted.push_back(*record.value + " is " + (name != names.end() ? name->second : "none"));
    }
    Lines found;
    for (const Record& record : found_.records("named", p)) found.push_back(*record.value);
    checked_.outputs += found.size();
    differ("named-" + std::to_string(p), wanted, found);
  }

  std::map<std::string, std::string> last_of(const std::string& topic) {
    std::map<std::string, std::string> out;
    for (std::int32_t p = 0; p < partitions; ++p)
      for (const Record& record : found_.records(topic, p)) {
        if (record.value)
          out[*record.key] = *record.value;
        else
          out.erase(*record.key);
      }
    return out;
  }
  /// The tables come in any order; what they make in the end does not depend on it.
  void check_ruled() {
    const auto places = last_of("places");
    std::map<std::string, std::string> wanted;
    for (const auto& [person, value] : last_of("people")) {
      const auto place = places.find(value.substr(0, 1));
      wanted[person] = value + " in " + (place != places.end() ? place->second : "none");
    }
    checked_.ruled += wanted.size();
    const auto found = last_of("ruled");
    same_tables("ruled", wanted, found);
    ruled_ = wanted;
  }

  template <class Table>
  void same_tables(const std::string& what, const Table& wanted, const Table& found) {
    if (wanted == found) return;
    std::size_t missing = 0;
    for (const auto& [key, value] : wanted) {
      const auto at = found.find(key);
      if (at == found.end() || at->second != value) ++missing;
    }
    anomaly(
        fmt::format("stream-model: the table {} has {} rows, want {}; {} of these are missing "
                    "or others",
                    what, found.size(), wanted.size(), missing));
  }
  /// What readers see is what was written in the end.
  void check_tables() {
    std::map<std::string, std::int64_t> letters;
    for (const auto& [place, count] : all_counts_) letters[place.second] = count;
    same_tables("letters, read", letters, found_.letters);
    same_tables("ruled, read", ruled_, found_.ruled);
    // Sessions that have expired may be there for a while.
    auto visits = found_.visits;
    std::erase_if(visits, [&](const auto& one) { return !visits_.contains(one.first); });
    same_tables("visits, read", visits_, visits);
  }

  /// What the changelog says in the end is what was counted.
  void check_changelog() {
    std::map<std::pair<std::int32_t, std::string>, std::int64_t> last;
    for (std::int32_t p = 0; p < partitions; ++p)
      for (const Record& record : found_.records(changelog_topic("app", "letters"), p))
        last[{p, *record.key}] = number(*record.value);
    if (last != all_counts_) anomaly("stream-model: the changelog of letters differs");
  }
  /// Every task has counted on from what was committed of it.
  void check_ticks() {
    std::map<std::string, std::int64_t> last;
    for (std::int32_t p = 0; p < partitions; ++p)
      for (const Record& record : found_.records("ticks", p)) {
        ++checked_.ticks;
        std::int64_t& before = last[*record.key];
        if (number(*record.value) != before + 1)
          anomaly(fmt::format("stream-model: tick {} of {} comes behind {}", number(*record.value),
                              *record.key, before));
        before = number(*record.value);
      }
    if (last.size() > partitions) anomaly("stream-model: a task has forgotten that it ticked");
  }
  const StreamsFound& found_;
  StreamsChecked checked_;
  std::map<std::string, int> passed_;
  std::map<std::pair<std::string, Window>, std::int64_t> visits_;  // that readers must find
  std::map<std::string, std::string> ruled_;
  std::map<std::pair<std::int32_t, std::string>, std::int64_t> all_counts_;
};

}  // namespace

StreamsChecked check_streams(const StreamsFound& found) { return Model(found).check_all(); }

}  // namespace weir::tests
