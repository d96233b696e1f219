#include "streams/assignment/payload.h"

#include "kafka/wire.h"

namespace weir::streams {
namespace {

using kafka::Decoder;
using kafka::Encoder;

/// The smallest that an element takes.
constexpr std::size_t string_bytes = 2;
constexpr std::size_t tag_bytes = 2 * string_bytes;
constexpr std::size_t partition_bytes = 4;
constexpr std::size_t sub_topology_bytes = 8;  // its number and a count
constexpr std::size_t report_bytes = 17;
constexpr std::size_t peer_bytes = string_bytes + 4;
constexpr std::size_t process_bytes = 16 + string_bytes + 4;
/// What a node of a set or map takes beside its strings.
constexpr std::size_t node_bytes = 48;

/// What the lists of one payload may take: the tasks of a vector that grows are six times their
/// bytes, all else is less. Texts are copied beside that.
std::size_t memory_for(std::string_view bytes) { return 6 * bytes.size() + (32U << 10U); }

void put_tasks(Encoder& encoder, const std::vector<TaskId>& tasks) {
  std::vector<std::pair<std::int32_t, std::vector<std::int32_t>>> subs;
  for (const TaskId& task : tasks) {
    if (subs.empty() || subs.back().first != task.sub_topology)
      subs.emplace_back(task.sub_topology, std::vector<std::int32_t>{});
    subs.back().second.push_back(task.partition);
  }
  encoder.array_count(subs.size(), false, "tasks");
  for (const auto& [sub, partitions] : subs) {
    encoder.integer(sub);
    encoder.elements(partitions, false, "partitions");
  }
}

TaskId checked(TaskId task, std::optional<TaskId> before, Decoder& decoder) {
  if (task.sub_topology < 0 || task.partition < 0) decoder.fail("task", "is below 0");
  if (before && task <= *before) decoder.fail("tasks", "are not in order");
  return task;
}

std::vector<TaskId> take_tasks(Decoder& decoder) {
  std::vector<TaskId> out;
  const auto subs = decoder.array_count(false, false, sub_topology_bytes, 1, "tasks");
  std::int32_t last = -1;
  for (std::ptrdiff_t i = 0; i < subs && decoder.ok(); ++i) {
    const auto sub = decoder.integer<std::int32_t>("sub_topology");
    if (sub <= last) decoder.fail("sub_topology", "is not in order");
    last = sub;
    // Three times, because a vector that grows holds two blocks for a while.
    const auto count =
        decoder.array_count(false, false, partition_bytes, 3 * sizeof(TaskId), "partitions");
    if (count == 0) decoder.fail("partitions", "are none");
    for (std::ptrdiff_t j = 0; j < count && decoder.ok(); ++j) {
      const TaskId task{sub, decoder.integer<std::int32_t>("partition")};
      out.push_back(checked(task, out.empty() ? std::nullopt : std::optional(out.back()), decoder));
    }
  }
  return out;
}

void put_strings(Encoder& encoder, const std::set<std::string>& strings, const char* field) {
  encoder.array_count(strings.size(), false, field);
  for (const std::string& each : strings) encoder.string(each, false, field);
}

std::set<std::string> take_strings(Decoder& decoder, const char* field) {
  std::set<std::string> out;
  const auto count =
      decoder.array_count(false, false, string_bytes, node_bytes + sizeof(std::string), field);
  for (std::ptrdiff_t i = 0; i < count && decoder.ok(); ++i) {
    std::string text(decoder.string(false, field));
    if (!out.empty() && text <= *out.rbegin()) decoder.fail(field, "are not in order");
    out.insert(out.end(), std::move(text));
  }
  return out;
}

GroupCode take_code(Decoder& decoder) {
  const auto code = decoder.integer<std::int8_t>("code");
  switch (static_cast<GroupCode>(code)) {
    case GroupCode::none:
    case GroupCode::missing_source:
    case GroupCode::assignment:
    case GroupCode::shutdown:
    case GroupCode::lower_version: return static_cast<GroupCode>(code);
  }
  decoder.fail("code", std::to_string(code) + " is none");
  return GroupCode::none;
}

void put_reports(Encoder& encoder, const std::vector<TaskReport>& reports) {
  encoder.array_count(reports.size(), false, "tasks");
  for (const TaskReport& report : reports) {
    encoder.integer(report.task.sub_topology);
    encoder.integer(report.task.partition);
    encoder.integer(report.offset_sum);
    encoder.boolean(report.standby);
  }
}

std::vector<TaskReport> take_reports(Decoder& decoder) {
  std::vector<TaskReport> out;
  const auto count = decoder.array_count(false, false, report_bytes, sizeof(TaskReport), "tasks");
  if (count > 0) out.reserve(static_cast<std::size_t>(count));
  for (std::ptrdiff_t i = 0; i < count && decoder.ok(); ++i) {
    TaskReport report;
    report.task.sub_topology = decoder.integer<std::int32_t>("sub_topology");
    report.task.partition = decoder.integer<std::int32_t>("partition");
    checked(report.task, out.empty() ? std::nullopt : std::optional(out.back().task), decoder);
    report.offset_sum = decoder.integer<std::int64_t>("offset_sum");
    if (report.offset_sum < 0 && report.offset_sum != runs_it)
      decoder.fail("offset_sum", std::to_string(report.offset_sum) + " is none");
    const auto standby = decoder.integer<std::int8_t>("standby");
    report.standby = standby == 1;
    if (standby != 0 && (standby != 1 || report.offset_sum == runs_it))
      decoder.fail("standby", "is neither 0 nor 1, or of a task that runs");
    out.push_back(report);
  }
  return out;
}

std::map<std::string, std::string> take_tags(Decoder& decoder) {
  std::map<std::string, std::string> out;
  const auto count =
      decoder.array_count(false, false, tag_bytes, node_bytes + 2 * sizeof(std::string), "tags");
  for (std::ptrdiff_t i = 0; i < count && decoder.ok(); ++i) {
    std::string key(decoder.string(false, "tag"));
    if (!out.empty() && key <= out.rbegin()->first) decoder.fail("tags", "are not in order");
    out.emplace_hint(out.end(), std::move(key), decoder.string(false, "tag"));
  }
  return out;
}

std::vector<PeerTasks> take_peers(Decoder& decoder) {
  std::vector<PeerTasks> out;
  const auto count = decoder.array_count(false, false, peer_bytes, sizeof(PeerTasks), "members");
  if (count > 0) out.reserve(static_cast<std::size_t>(count));
  for (std::ptrdiff_t i = 0; i < count && decoder.ok(); ++i) {
    PeerTasks& peer = out.emplace_back();
    peer.transactional_id = decoder.string(false, "transactional_id");
    if (i > 0 && peer.transactional_id < out[out.size() - 2].transactional_id)
      decoder.fail("members", "are not in order");
    peer.active = take_tasks(decoder);
  }
  return out;
}

std::vector<ProcessTasks> take_processes(Decoder& decoder) {
  std::vector<ProcessTasks> out;
  const auto count =
      decoder.array_count(false, false, process_bytes, sizeof(ProcessTasks), "processes");
  if (count > 0) out.reserve(static_cast<std::size_t>(count));
  for (std::ptrdiff_t i = 0; i < count && decoder.ok(); ++i) {
    ProcessTasks& process = out.emplace_back();
    process.process = decoder.uuid("process");
    if (i > 0 && process.process <= out[out.size() - 2].process)
      decoder.fail("processes", "are not in order");
    process.endpoint = decoder.string(false, "endpoint");
    process.members = take_peers(decoder);
  }
  return out;
}

Result<std::string> finished(const Encoder& encoder, std::int8_t version, std::string bytes) {
  if (version < 1 || version > stream_payload_version)
    return fail(Errc::invalid_argument, "payload of a streams group: there is no version " +
                                            std::to_string(version) + " to write");
  if (auto ok = encoder.status(); !ok)
    return fail(Errc::invalid_argument, "payload of a streams group: " + ok.error().message());
  return bytes;
}

/// Reads what follows the version.
template <class Payload, class Read>
Result<Payload> decode(std::string_view what, std::string_view bytes, Read&& read) {
  Decoder decoder(bytes, memory_for(bytes));
  const auto version = decoder.integer<std::int8_t>("version");
  if (decoder.ok() && version > stream_payload_version)
    return fail(Errc::unsupported_version,
                std::string(what) + ": has version " + std::to_string(version) +
                    ", the newest that is known is " + std::to_string(stream_payload_version));
  if (version < 1) decoder.fail("version", "is below 1");
  Payload out = read(decoder);
  out.version = version;
  if (!decoder.finish())
    return fail(Errc::malformed, std::string(what) + ": " + decoder.status().error().message());
  return out;
}

}  // namespace

Result<std::string> encode(const StreamSubscription& subscription) {
  std::string bytes;
  Encoder encoder(bytes);
  encoder.integer(subscription.version);
  encoder.integer(subscription.latest);
  encoder.integer(static_cast<std::int8_t>(subscription.code));
  encoder.integer(subscription.unique);
  encoder.uuid(subscription.process);
  encoder.string(subscription.endpoint, false, "endpoint");
  encoder.string(subscription.transactional_id, false, "transactional_id");
  put_reports(encoder, subscription.tasks);
  put_tasks(encoder, subscription.awaited);
  encoder.array_count(subscription.tags.size(), false, "tags");
  for (const auto& [key, value] : subscription.tags) {
    encoder.string(key, false, "tag");
    encoder.string(value, false, "tag");
  }
  put_strings(encoder, subscription.peers, "peers");
  return finished(encoder, subscription.version, std::move(bytes));
}

Result<StreamSubscription> decode_stream_subscription(std::string_view bytes) {
  return decode<StreamSubscription>("streams subscription", bytes, [](Decoder& decoder) {
    StreamSubscription out;
    out.latest = decoder.integer<std::int8_t>("latest");
    if (out.latest < 1) decoder.fail("latest", "is below 1");
    out.code = take_code(decoder);
    if (out.code != GroupCode::none && out.code != GroupCode::shutdown)
      decoder.fail("code", "is not one of a member");
    out.unique = decoder.integer<std::int32_t>("unique");
    out.process = decoder.uuid("process");
    out.endpoint = decoder.string(false, "endpoint");
    out.transactional_id = decoder.string(false, "transactional_id");
    out.tasks = take_reports(decoder);
    out.awaited = take_tasks(decoder);
    out.tags = take_tags(decoder);
    out.peers = take_strings(decoder, "peers");
    return out;
  });
}

Result<std::string> encode(const StreamAssignment& assignment) {
  std::string bytes;
  Encoder encoder(bytes);
  encoder.integer(assignment.version);
  encoder.integer(assignment.common);
  encoder.integer(static_cast<std::int8_t>(assignment.code));
  encoder.integer(assignment.next_rebalance ? std::int64_t{assignment.next_rebalance->count()}
                                            : std::int64_t{-1});
  put_tasks(encoder, assignment.active);
  put_tasks(encoder, assignment.standby);
  put_tasks(encoder, assignment.awaited);
  put_strings(encoder, assignment.fence, "fence");
  encoder.array_count(assignment.processes.size(), false, "processes");
  for (const ProcessTasks& process : assignment.processes) {
    encoder.uuid(process.process);
    encoder.string(process.endpoint, false, "endpoint");
    encoder.array_count(process.members.size(), false, "members");
    for (const PeerTasks& peer : process.members) {
      encoder.string(peer.transactional_id, false, "transactional_id");
      put_tasks(encoder, peer.active);
    }
  }
  return finished(encoder, assignment.version, std::move(bytes));
}

Result<StreamAssignment> decode_stream_assignment(std::string_view bytes) {
  return decode<StreamAssignment>("streams assignment", bytes, [](Decoder& decoder) {
    StreamAssignment out;
    out.common = decoder.integer<std::int8_t>("common");
    if (out.common < 1) decoder.fail("common", "is below 1");
    out.code = take_code(decoder);
    const auto next = decoder.integer<std::int64_t>("next_rebalance");
    if (next < -1) decoder.fail("next_rebalance", "is below -1");
    if (next >= 0) out.next_rebalance = std::chrono::milliseconds(next);
    out.active = take_tasks(decoder);
    out.standby = take_tasks(decoder);
    out.awaited = take_tasks(decoder);
    out.fence = take_strings(decoder, "fence");
    out.processes = take_processes(decoder);
    return out;
  });
}

std::optional<PayloadVersions> versions_of(std::string_view bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const PayloadVersions out{static_cast<std::int8_t>(bytes[0]), static_cast<std::int8_t>(bytes[1])};
  if (out.version < 1 || out.latest < 1) return std::nullopt;
  return out;
}

}  // namespace weir::streams
