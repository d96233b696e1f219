#include "contract/migration.h"

#include <array>

namespace weir::contract {
namespace {

/// Up to so many readers may be moved at one time.
constexpr std::size_t few_readers = 2;

class Planner {
 public:
  Planner(const Schema& before, const Schema& after, MigrationFacts facts)
      : before_(before), after_(after), facts_(std::move(facts)) {
    if (facts_.subject.empty()) facts_.subject = facts_.stream + "-value";
    if (facts_.new_stream.empty()) facts_.new_stream = facts_.stream + "-next";
  }

  Result<Migration> run() {
    if (before_.language() == after_.language() && before_.normalized() == after_.normalized()) {
      out_.why = "both say the same";
      out_.level = Level::full;
      return std::move(out_);
    }
    if (before_.language() != after_.language()) {
      out_.why = std::string(name_of(before_.language())) + " and " +
                 std::string(name_of(after_.language())) + " read nothing of each other";
      new_stream();
      return std::move(out_);
    }
    auto backward = after_.unreadable(before_, facts_.policy);
    if (!backward) return fail(std::move(backward.error()));
    auto forward = before_.unreadable(after_, facts_.policy);
    if (!forward) return fail(std::move(forward.error()));
    out_.backward = std::move(*backward);
    out_.forward = std::move(*forward);
    if (out_.backward.empty() || out_.forward.empty())
      in_place();
    else
      new_stream();
    return std::move(out_);
  }

 private:
  void step(std::string who, std::string what, std::string how = {}) {
    out_.steps.push_back({std::move(who), std::move(what), std::move(how)});
  }

  void consumers_move(const std::string& what) {
    if (facts_.readers.empty()) return step("consumers", what);
    for (const std::string& reader : facts_.readers) step(reader, what);
  }

  // ---- the same stream

  void in_place() {
    out_.way = Way::compatible;
    const bool reads_old = out_.backward.empty();
    const bool old_reads = out_.forward.empty();
    out_.level = reads_old && old_reads ? Level::full
                 : reads_old            ? Level::backward
                                        : Level::forward;
    out_.why = reads_old && old_reads ? "each version reads what the other writes"
               : reads_old
                   ? "the new version reads what the old one wrote, not the other way round"
                   : "the old version reads what the new one writes, not the other way round";
    const std::string subject = facts_.subject;
    step("owner of the contract", "Look at the rules for good events, and ask the consumers.",
         "weir contract lint " + facts_.file);
    if (out_.level == Level::forward)
      step("owner of the contract", "Let the subject take changes that old consumers can read.",
           "weir schema level " + subject + " FORWARD");
    step("owner of the contract", "Register the new version.",
         "weir schema register " + subject + " " + facts_.file);
    if (out_.level == Level::backward) {
      consumers_move("Go over to the new version: it reads both.");
      step("producers", "Go over to the new version when the last consumer has it.");
    } else if (out_.level == Level::forward) {
      step("producers", "Go over to the new version: old consumers read it.");
      consumers_move("Go over to the new version when no old event has to be read any more.");
    } else {
      step("producers and consumers", "Go over to the new version, in any order.");
    }
  }

  // ---- a new stream

  bool is_entity() const { return before_.outline().topic_kind == "entity"; }

  void new_stream() {
    const bool few = facts_.readers_known && facts_.readers.size() <= few_readers;
    out_.way = facts_.synchronised || few ? Way::synchronised_migration : Way::eventual_migration;
    if (out_.why.empty()) out_.why = "neither version reads what the other writes";
    if (facts_.synchronised)
      out_.why += "; it was asked for that all move at once";
    else if (few)
      out_.why += facts_.readers.empty() ? "; nobody is known to read it, so all can move at once"
                                         : "; so few read it that all can move at once";
    else
      out_.why += facts_.readers_known ? "; many read it, so each moves when it can"
                                       : "; who reads it is not known, so each moves when it can";
    begin_stream();
    out_.way == Way::synchronised_migration ? move_at_once() : move_one_by_one();
    step("owner of the contract", "Delete the old stream when its events have no use any more.",
         "weir topic delete " + facts_.stream);
  }

  void begin_stream() {
    step("owner of the contract",
         "Agree with the consumers on the new definition; a new stream is cheaper for them than a "
         "broken one.");
    step("owner of the contract",
         is_entity() ? "Make the new stream, with the same number of partitions, compacted."
                     : "Make the new stream, with the same number of partitions.",
         "weir topic create " + facts_.new_stream + " --partitions N" +
             (is_entity() ? " --set cleanup.policy=compact" : ""));
    step("owner of the contract", "Register its contract.",
         "weir schema register " + facts_.new_stream + "-value " + facts_.file);
    step("producers",
         is_entity()
             ? "Publish every entity to it anew, from where the truth is: what the old events "
               "lack cannot be made from them."
             : "Publish to it; events of the past stay in the old stream, where they are true.");
  }

  void move_one_by_one() {
    step("producers", "Go on publishing to both streams, from one place in the code.");
    consumers_move(
        is_entity() ? "Build the state anew from the new stream, then leave the old one."
                    : "Read the old stream to the time of the move, then the new one from there.");
    step("owner of the contract", "See who still reads the old stream.",
         "weir lag --filter \"topic = '" + facts_.stream + "'\"");
    step("producers", "Stop publishing to the old stream when nobody reads it.");
  }

  void move_at_once() {
    step("producers and consumers", "Have the new version ready beside the old one, and try it.");
    consumers_move("Stop when all of the old stream is read.");
    step("producers", "Stop the old version; publish to the new stream alone.");
    step("owner of the contract", "See that nothing is left unread.",
         "weir lag --filter \"topic = '" + facts_.stream + "'\"");
    consumers_move(is_entity() ? "Start on the new stream, from its beginning."
                               : "Start on the new stream; the old one was read to its end.");
  }

  const Schema& before_;
  const Schema& after_;
  MigrationFacts facts_;
  Migration out_;
};

}  // namespace

std::string_view name_of(Way way) {
  constexpr std::array<std::string_view, 4> names = {
      "nothing", "compatible change", "eventual migration", "synchronised migration"};
  return names[static_cast<std::size_t>(way)];
}

Result<Migration> plan_migration(const Schema& before, const Schema& after,
                                 const MigrationFacts& facts) {
  return Planner(before, after, facts).run();
}

}  // namespace weir::contract
