// What a reset finds, and the plan that it makes of that.
#include "streams/reset.h"

#include <fmt/core.h>

#include <algorithm>

#include "client/bounds.h"
#include "io/runtime.h"
#include "streams/names.h"
#include "streams/offset_note.h"

namespace weir::streams {
namespace {

constexpr std::string_view changelog_end = "-changelog";
constexpr std::string_view repartition_end = "-repartition";
std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::uint64_t records_in(const std::map<TopicPartition, client::Bounds>& bounds,
                         const std::string& topic) {
  std::uint64_t records = 0;
  for (const auto& [place, range] : bounds)
    if (place.topic == topic) records += static_cast<std::uint64_t>(range.end - range.begin);
  return records;
}

}  // namespace

std::string_view to_string(ResetStep::Kind kind) {
  switch (kind) {
    case ResetStep::Kind::evict: return "evict";
    case ResetStep::Kind::fence: return "fence";
    case ResetStep::Kind::hold: return "hold";
    case ResetStep::Kind::remove: return "delete";
    case ResetStep::Kind::clear: return "clear";
    case ResetStep::Kind::keep: return "keep";
    case ResetStep::Kind::tombstone: return "tombstone";
    case ResetStep::Kind::delete_records: return "delete-records";
    case ResetStep::Kind::reader: return "reader";
    case ResetStep::Kind::move: return "move";
  }
  return "";
}

Reset::Reset(Client& client, ResetRequest request)
    : client_(&client), admin_(&client.admin()), request_(std::move(request)) {}

Result<Reset> Reset::plan(Client& client, ResetRequest request, const WhereTo& where_to) {
  Reset out(client, std::move(request));
  if (auto found = out.find_members(); !found) return fail(found.error());
  if (auto found = out.find_ids(); !found) return fail(found.error());
  if (auto found = out.find_offsets(where_to); !found) return fail(found.error());
  if (auto found = out.find_outputs(); !found) return fail(found.error());
  if (auto found = out.find_readers(); !found) return fail(found.error());
  if (auto locked = out.lock_folder(); !locked) return fail(locked.error());
  return out;
}

Result<void> Reset::find_members() {
  const auto topics = admin_->list_topics();
  if (!topics) return fail(topics.error());
  topics_.insert(topics->begin(), topics->end());
  const auto groups = admin_->list_groups();
  if (!groups) return fail(groups.error());
  for (const GroupListing& group : *groups)
    if (group.id != request_.application) groups_[group.id] = group.state;
  for (const auto& [group, state] : groups_) others_.insert(group);
  auto group = admin_->describe_group(request_.application);
  if (!group && group.error().code() == Errc::group_id_not_found) return {};
  if (!group) return fail(group.error());
  is_known_ = true;
  members_ = std::move(group->members);
  if (request_.force || (members_.empty() && (group->state == "Empty" || group->state == "Dead")))
    return {};
  return fail(Errc::non_empty_group,
              fmt::format("group {}: is {} with {}; stop them first, or --force removes them",
                          request_.application, group->state, counted(members_.size(), "member")));
}

Result<void> Reset::find_ids() {
  const auto listed = admin_->list_transactions();
  if (!listed) return fail(listed.error());
  for (const TransactionListing& transaction : *listed) {
    const std::string application(application_of_id(transaction.id));
    if (application == request_.application)
      ids_.insert(transaction.id);
    else if (!application.empty())
      others_.insert(application);
  }
  return {};
}

bool Reset::has_internal_name(std::string_view topic) const {
  if (!topic.starts_with(request_.application + "-")) return false;
  const std::string_view rest = topic.substr(request_.application.size());
  return (rest.ends_with(changelog_end) && rest.size() > changelog_end.size() + 1) ||
         (rest.ends_with(repartition_end) && rest.size() > repartition_end.size() + 1);
}

Result<void> Reset::find_offsets(const WhereTo& where_to) {
  const auto committed = admin_->list_group_offsets(request_.application);
  if (!committed) return fail(committed.error());
  std::map<TopicPartition, OffsetAndMetadata> known;
  std::set<std::string> inputs = request_.inputs;
  for (const auto& [place, offset] : *committed) {
    goes_on_ = goes_on_ || is_reset_mark(offset.metadata);
    if (has_internal_name(place.topic)) {
      ours_.insert(place.topic);
      continue;
    }
    if (!topics_.contains(place.topic)) continue;
    if (offset.metadata != reset_mark_of_none) known[place] = offset;
    auto& kept = places_[place];
    if (const auto at = known.find(place); at != known.end()) kept.from = kept.to = offset.offset;
    if (request_.inputs.empty()) inputs.insert(place.topic);
  }
  if (auto found = find_internal(); !found) return found;
  if (!is_known_ && committed->empty() && ids_.empty() && internal_.empty())
    return fail(Errc::group_id_not_found,
                request_.application +
                    ": no such application: it has no group, no streams of its "
                    "own and no transactional ids");
  if (inputs.empty())
    return fail(Errc::not_found, request_.application +
                                     ": its group has no committed offsets; --input names the "
                                     "topics that it reads");
  std::vector<TopicDescription> described;
  for (const std::string& input : inputs) {
    if (has_internal_name(input))
      return fail(Errc::invalid_argument, input + ": is no input, the application makes it itself");
    auto topic = admin_->describe_topic(input);
    if (!topic) return fail(topic.error());
    described.push_back(std::move(*topic));
  }
  const auto moved = where_to(*admin_, described, known);
  if (!moved) return fail(moved.error());
  for (const auto& [place, offset] : *moved) {
    places_[place].to = offset;
    places_[place].moves = true;
  }
  return {};
}

Result<void> Reset::must_be_ours(const std::string& topic) const {
  for (const std::string& other : others_)
    if (other.starts_with(request_.application + "-") && topic.starts_with(other + "-"))
      return fail(Errc::invalid_argument,
                  fmt::format("{}: it may be of {} or of {}; name those of {} with "
                              "--internal-topic",
                              topic, request_.application, other, request_.application));
  return {};
}

Result<void> Reset::find_internal() {
  std::vector<TopicDescription> found;
  for (const std::string& topic : request_.internal_topics)
    if (!has_internal_name(topic))
      return fail(Errc::invalid_argument,
                  fmt::format("{}: no changelog or repartition of {} has such a name", topic,
                              request_.application));
  for (const std::string& topic : topics_) {
    if (!has_internal_name(topic)) continue;
    if (!ours_.contains(topic)) {
      if (request_.internal_topics.empty()) {
        if (auto good = must_be_ours(topic); !good) return good;
      } else if (!request_.internal_topics.contains(topic)) {
        continue;
      }
    }
    auto described = admin_->describe_topic(topic);
    if (described)
      found.push_back(std::move(*described));
    else if (described.error().code() != Errc::unknown_topic_or_partition)
      return fail(described.error());
  }
  const auto bounds = client::find_bounds(*admin_, found);
  if (!bounds) return fail(bounds.error());
  for (const TopicDescription& topic : found)
    internal_.push_back({topic.name, topic.partitions.size(), records_in(*bounds, topic.name)});
  return {};
}

Result<void> Reset::find_outputs() {
  std::vector<TopicDescription> topics;
  for (const std::string& name : request_.output_topics) {
    auto topic = admin_->describe_topic(name);
    if (!topic) return fail(topic.error());
    topics.push_back(std::move(*topic));
    if (request_.outputs == Outputs::keep) continue;
    const auto is_input = [&](const auto& entry) { return entry.first.topic == name; };
    if (has_internal_name(name) || std::ranges::any_of(places_, is_input))
      return fail(Errc::invalid_argument, name + ": is read by the application itself; leave it");
    const auto settings = admin_->describe_configs(ConfigResource::topic, name);
    if (!settings) return fail(settings.error());
    const auto policy = std::ranges::find(*settings, "cleanup.policy", &ConfigEntry::name);
    const std::string is = policy == settings->end() ? std::string() : policy->value.value_or("");
    const bool tombstones = request_.outputs == Outputs::tombstone;
    if (is.find(tombstones ? "compact" : "delete") == std::string::npos)
      return fail(Errc::invalid_argument,
                  fmt::format("{}: its cleanup.policy is {}: {}", name, is,
                              tombstones ? "tombstones delete nothing there; use delete-records"
                                         : "records cannot be deleted there; use tombstone"));
  }
  const auto bounds = client::find_bounds(*admin_, topics);
  if (!bounds) return fail(bounds.error());
  for (TopicDescription& topic : topics) {
    const std::uint64_t records = records_in(*bounds, topic.name);
    outputs_.push_back({std::move(topic), records});
  }
  return {};
}

Result<void> Reset::find_readers() {
  if (outputs_.empty()) return {};
  std::vector<TopicDescription> topics;
  for (const Output& output : outputs_) topics.push_back(output.topic);
  const auto bounds = client::find_bounds(*admin_, topics);
  if (!bounds) return fail(bounds.error());
  for (const auto& [group, state] : groups_) {
    const auto committed = admin_->list_group_offsets(group);
    if (!committed) return fail(committed.error());
    std::map<std::string, std::int64_t> unread;
    for (const auto& [place, offset] : *committed)
      if (const auto range = bounds->find(place); range != bounds->end())
        unread[place.topic] += std::max<std::int64_t>(
            0, range->second.end - std::max(offset.offset, range->second.begin));
    for (const auto& [topic, records] : unread) readers_.push_back({group, state, topic, records});
  }
  return {};
}

Result<void> Reset::lock_folder() {
  if (request_.state_dir.empty()) return {};
  const auto files = io::make_real_file_system();
  const auto there = files->exists(folder());
  if (!there) return fail(there.error());
  if (!*there)
    return fail(Errc::not_found, fmt::format("{}: there is no local state of {} in it",
                                             request_.state_dir, request_.application));
  auto lock = files->lock_folder(folder());
  if (!lock) return fail(lock.error());
  lock_ = std::move(*lock);
  return {};
}

std::string Reset::detail_of(const Reader& reader) const {
  const std::string state = reader.state.empty() ? "" : " (" + reader.state + ")";
  switch (request_.outputs) {
    case Outputs::keep:
      return fmt::format("reads {}{}: sees again what is written again", reader.topic, state);
    case Outputs::tombstone:
      return fmt::format("reads {}{}: sees each key deleted, then what is written again",
                         reader.topic, state);
    case Outputs::delete_records:
      return fmt::format("reads {}{}: {} not read yet are lost; sees what is written again",
                         reader.topic, state,
                         counted(static_cast<std::uint64_t>(reader.unread), "record"));
  }
  return "";
}

void Reset::add_outputs(std::vector<ResetStep>& steps) const {
  using Kind = ResetStep::Kind;
  for (const Output& output : outputs_) {
    const std::string records = counted(output.records, "record");
    switch (request_.outputs) {
      case Outputs::keep:
        steps.push_back({.kind = Kind::keep, .name = output.topic.name, .detail = records});
        break;
      case Outputs::tombstone:
        steps.push_back({.kind = Kind::tombstone,
                         .name = output.topic.name,
                         .detail = "one for each key that is alive in " + records});
        break;
      case Outputs::delete_records:
        steps.push_back(
            {.kind = Kind::delete_records, .name = output.topic.name, .detail = records});
        break;
    }
    for (const Reader& reader : readers_)
      if (reader.topic == output.topic.name)
        steps.push_back({.kind = Kind::reader, .name = reader.group, .detail = detail_of(reader)});
  }
}

std::vector<ResetStep> Reset::steps() const {
  using Kind = ResetStep::Kind;
  std::vector<ResetStep> out;
  for (const GroupMemberDescription& member : members_)
    out.push_back({.kind = Kind::evict,
                   .name = member.id,
                   .detail = "a member of the group, at " + member.host});
  for (const std::string& id : ids_)
    out.push_back({.kind = Kind::fence, .name = id, .detail = "whoever has it can commit no more"});
  out.push_back({.kind = Kind::hold,
                 .name = request_.application,
                 .detail = goes_on_ ? "an earlier reset has not ended; no instance runs until this "
                                      "one has"
                                    : "no instance runs until the last step is done"});
  for (const Internal& topic : internal_)
    out.push_back({.kind = Kind::remove,
                   .name = topic.name,
                   .detail = counted(topic.partitions, "partition") + ", " +
                             counted(topic.records, "record")});
  if (lock_ != nullptr)
    out.push_back({.kind = Kind::clear, .name = folder(), .detail = "local state"});
  add_outputs(out);
  for (const auto& [place, at] : places_)
    if (at.moves || at.from)
      out.push_back({.kind = Kind::move,
                     .name = place.topic,
                     .partition = place.partition,
                     .from = at.from,
                     .to = at.to,
                     .detail = at.moves ? "" : "stays; what tasks have noted beside it goes"});
  return out;
}

}  // namespace weir::streams
