// weir produce.
#include <fmt/core.h>

#include <atomic>
#include <limits>
#include <map>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/interrupt.h"
#include "cli/lines.h"
#include "cli/progress.h"
#include "cli/record_format.h"
#include "cli/schema_writing.h"

namespace weir::cli {
namespace {

/// Of one record; what the topic takes, the broker judges.
constexpr std::size_t largest_record = 32U * 1024 * 1024;
/// Of one line: JSON may write a byte with six characters.
constexpr std::size_t longest_line = 6 * largest_record;
constexpr std::size_t batch_bytes = 64U * 1024;
constexpr std::size_t buffer_bytes = 64U * 1024 * 1024;

enum class InputFormat : std::uint8_t { value, key_value, jsonl };

/// What the command line says about every record.
struct Defaults {
  InputFormat format = InputFormat::value;
  LineStyle style;
  std::optional<std::string> topic;  // stronger than that of a record
  std::optional<std::string> key;
  std::optional<std::int32_t> partition;
  bool by_key = false;  // the partition of a record is not looked at
  std::vector<Record::OwnedHeader> headers;
};

InputFormat format_of(const Arguments& arguments) {
  const std::string_view format = arguments.text("format");
  return format == "jsonl"       ? InputFormat::jsonl
         : format == "key-value" ? InputFormat::key_value
                                 : InputFormat::value;
}

Result<void> check_together(const Arguments& arguments) {
  const InputFormat format = format_of(arguments);
  if (arguments.words().empty() && format != InputFormat::jsonl)
    return fail(Errc::usage, "which topic? only records of --format jsonl can name it themselves");
  if (arguments.given("key") && format != InputFormat::value)
    return fail(Errc::usage, "--key is for --format value: the others have keys of their own");
  if (arguments.given("separator") && format != InputFormat::key_value)
    return fail(Errc::usage, "--separator is for --format key-value");
  if (arguments.given("null") && format == InputFormat::jsonl)
    return fail(Errc::usage, "--null is not for --format jsonl, which has a null of its own");
  if (arguments.given("partition") && arguments.flag("by-key"))
    return fail(Errc::usage, "--partition and --by-key exclude each other");
  if (arguments.given("partition") &&
      (arguments.number("partition") < 0 ||
       arguments.number("partition") > std::numeric_limits<std::int32_t>::max()))
    return fail(Errc::usage, "--partition: partitions are counted from 0");
  return {};
}

Result<Defaults> defaults_of(const Arguments& arguments) {
  if (auto fine = check_together(arguments); !fine) return fail(fine.error());
  Defaults defaults;
  defaults.format = format_of(arguments);
  defaults.style.with_key = defaults.format == InputFormat::key_value;
  auto separator = separator_from(arguments.text("separator"));
  if (!separator) return fail(separator.error());
  defaults.style.separator = std::move(*separator);
  if (arguments.given("null")) defaults.style.null_text = arguments.text("null");
  if (!arguments.words().empty()) defaults.topic = arguments.words().front();
  if (arguments.given("key")) defaults.key = arguments.text("key");
  if (arguments.given("partition"))
    defaults.partition = static_cast<std::int32_t>(arguments.number("partition"));
  defaults.by_key = arguments.flag("by-key");
  for (const std::string_view text : arguments.all("header")) {
    auto pair = name_and_value("header", text);
    if (!pair) return fail(pair.error());
    defaults.headers.push_back({std::move(pair->first), std::move(pair->second)});
  }
  return defaults;
}

ProducerOptions options_of(const Arguments& arguments) {
  constexpr std::pair<std::string_view, Compression> codecs[] = {{"none", Compression::none},
                                                                 {"gzip", Compression::gzip},
                                                                 {"snappy", Compression::snappy},
                                                                 {"lz4", Compression::lz4},
                                                                 {"zstd", Compression::zstd}};
  ProducerOptions options;
  for (const auto& [name, codec] : codecs)
    if (name == arguments.text("compression")) options.compression = codec;
  const std::string_view acks = arguments.text("acks");
  options.acks = acks == "0" ? Acks::none : acks == "1" ? Acks::leader : Acks::all;
  if (arguments.flag("no-idempotence")) options.idempotent = false;
  options.batch_bytes = batch_bytes;
  options.buffer_bytes = buffer_bytes;
  options.max_request_bytes = largest_record;
  options.max_block = timeout_of(arguments);
  options.request_timeout = timeout_of(arguments);
  options.delivery_timeout = timeout_of(arguments) + options.linger;
  return options;
}

/// What has become of the records. Written by the client's thread, read by the command's.
class Deliveries {
 public:
  ~Deliveries() { delete failure_.load(); }
  DeliveryCallback callback(std::uint64_t line) {
    return [this, line](Result<RecordMetadata> result) {
      if (result) {
        delivered_.fetch_add(1, std::memory_order_relaxed);
      } else if (failure_.load() == nullptr) {
        auto failure = std::make_unique<Error>(
            result.error().code(), fmt::format("line {}: {}", line, result.error().message()));
        Error* none = nullptr;
        if (failure_.compare_exchange_strong(none, failure.get()))
          static_cast<void>(failure.release());  // the destructor's from now on
      }
    };
  }
  std::uint64_t delivered() const { return delivered_.load(std::memory_order_relaxed); }
  /// The first failure; nullptr without one.
  const Error* failure() const { return failure_.load(); }

 private:
  std::atomic<std::uint64_t> delivered_ = 0;
  std::atomic<Error*> failure_ = nullptr;
};

/// Reads lines and sends them, until the end, ^C or the first failure.
class Sending {
 public:
  Sending(Admin& admin, Producer& producer, Deliveries& deliveries, Defaults defaults,
          SchemaWriting schemas)
      : admin_(admin),
        producer_(producer),
        deliveries_(deliveries),
        defaults_(std::move(defaults)),
        schemas_(std::move(schemas)),
        members_(schemas_.members()) {}

  Result<void> run(Lines& lines, Progress* progress, const Interrupts& interrupts) {
    if (defaults_.topic)
      if (auto known = partitions_of(*defaults_.topic, false); !known) return fail(known.error());
    while (!interrupts.seen() && deliveries_.failure() == nullptr) {
      const auto line = lines.next();
      if (!line) return fail(line.error());
      if (!*line) break;
      if (defaults_.format == InputFormat::jsonl && is_blank(**line)) continue;
      if (auto sent = send(**line, lines.number()); !sent)
        return fail(sent.error().code(),
                    fmt::format("line {}: {}", lines.number(), sent.error().message()));
      if (progress != nullptr) progress->update(deliveries_.delivered());
    }
    return {};
  }

 private:
  static bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
  }

  Result<ParsedRecord> read(std::string_view line) const {
    const bool is_json = defaults_.format == InputFormat::jsonl;
    auto record =
        is_json ? record_from_json(line, members_) : record_from_line(defaults_.style, line);
    if (!record) return record;
    if (defaults_.topic) record->topic = defaults_.topic;
    if (defaults_.key) record->key = defaults_.key;
    if (!is_json)
      if (auto done = schemas_.apply(*record); !done) return fail(done.error());
    if (defaults_.by_key) record->partition.reset();
    if (defaults_.partition) record->partition = defaults_.partition;
    return record;
  }

  Result<void> send(std::string_view line, std::uint64_t number) {
    const auto record = read(line);
    if (!record) return fail(record.error());
    if (!record->topic)
      return fail(Errc::malformed, "no \"topic\", and none is given to weir produce");
    if (auto fine = check_place(*record); !fine) return fine;
    headers_.clear();
    add_headers(record->headers);
    add_headers(defaults_.headers);
    ProducerRecord out{.topic = *record->topic,
                       .key = record->key,
                       .value = record->value,
                       .headers = headers_,
                       .partition = record->partition};
    if (record->timestamp_ms)
      out.timestamp = Timestamp(std::chrono::milliseconds(*record->timestamp_ms));
    return producer_.send(out, deliveries_.callback(number));
  }

  void add_headers(const std::vector<Record::OwnedHeader>& headers) {
    for (const auto& [key, value] : headers) headers_.push_back({key, value});
  }

  /// The topic exists, and has the partition. A name that does not would else be made by a broker
  /// that makes topics by itself.
  Result<void> check_place(const ParsedRecord& record) {
    auto count = partitions_of(*record.topic, false);
    if (count && record.partition && *record.partition >= *count)
      count = partitions_of(*record.topic, true);
    if (!count) return fail(count.error());
    if (record.partition && *record.partition >= *count)
      return fail(Errc::unknown_topic_or_partition,
                  fmt::format("{} has no partition {}, only {}; --by-key lets the keys decide",
                              *record.topic, *record.partition,
                              counted(static_cast<std::uint64_t>(*count), "partition")));
    return {};
  }

  Result<std::int32_t> partitions_of(const std::string& topic, bool again) {
    const auto known = partitions_.find(topic);
    if (known != partitions_.end() && !again) return known->second;
    const auto found = find_topic(admin_, topic);
    if (!found) return fail(found.error());
    const auto count = static_cast<std::int32_t>(found->partitions.size());
    partitions_[topic] = count;
    return count;
  }

  Admin& admin_;
  Producer& producer_;
  Deliveries& deliveries_;
  Defaults defaults_;
  SchemaWriting schemas_;
  RecordMembers members_;  // of those schemas
  std::map<std::string, std::int32_t> partitions_;
  std::vector<Header> headers_;
};

Result<Exit> produce(Context& context) {
  const Arguments& arguments = context.arguments;
  auto defaults = defaults_of(arguments);
  if (!defaults) return fail(defaults.error());
  const auto options = options_of(arguments);
  auto schemas = SchemaWriting::open(context, defaults->topic.value_or(""));
  if (!schemas) return fail(schemas.error());
  auto lines = Lines::open(std::string(arguments.text("file")), longest_line);
  if (!lines) return fail(lines.error());
  auto client = connect(context);
  if (!client) return fail(client.error());
  Deliveries deliveries;  // outlives the producer, which calls back
  auto producer = client->producer(options);
  if (!producer) return fail(producer.error());

  const Interrupts interrupts;
  const SystemClock clock;
  Progress progress(context.console, clock, {.what = "sent", .unit = "records"});
  Sending sending(client->admin(), *producer, deliveries, std::move(*defaults),
                  std::move(*schemas));
  // A bar would stand in the way of somebody who types records.
  auto outcome = sending.run(*lines, lines->is_terminal() ? nullptr : &progress, interrupts);
  // Whatever happens to a record happens within its delivery timeout.
  const auto flushed = producer->flush(options.delivery_timeout + options.request_timeout);
  progress.update(deliveries.delivered());
  progress.finish();
  if (const Error* failure = deliveries.failure()) return fail(*failure);
  if (!outcome) return fail(outcome.error());
  if (!flushed) return fail(flushed.error());
  if (interrupts.seen())
    return fail(Errc::cancelled,
                fmt::format("{}: interrupted after line {}", lines->name(), lines->number()));
  return Exit::ok;
}

constexpr Option options[] = {
    {.name = "format",
     .value = "FORMAT",
     .default_value = "value",
     .doc = "What a line is: a value, key and value, or a record in JSON.",
     .choices = "value,key-value,jsonl"},
    {.name = "file",
     .letter = 'f',
     .value = "FILE",
     .doc = "Read this file or pipe; else standard input."},
    {.name = "separator",
     .value = "TEXT",
     .default_value = "\\t",
     .doc = "Between key and value of --format key-value; \\t is a tab."},
    {.name = "null",
     .value = "TEXT",
     .doc = "A key or value of this text is null; not for --format jsonl."},
    {.name = "key", .letter = 'k', .value = "KEY", .doc = "The key of every record."},
    {.name = "header",
     .letter = 'H',
     .value = "NAME=VALUE",
     .doc = "A header of every record, behind its own.",
     .repeated = true},
    {.name = "partition",
     .letter = 'p',
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "Send every record to this partition; else to that of the record, or by its key."},
    {.name = "by-key",
     .kind = OptionKind::flag,
     .doc = "Let the keys choose the partitions, not what records of --format jsonl say."},
    {.name = "registry",
     .letter = 'r',
     .value = "URL",
     .doc = "Values are JSON, and are written by a schema of this registry."},
    {.name = "value-schema",
     .value = "SUBJECT:VERSION",
     .doc = "The schema of values; without a version the latest. The default is TOPIC-value."},
    {.name = "key-schema",
     .value = "SUBJECT:VERSION",
     .doc = "Keys are JSON too, and are written by this schema."},
    {.name = "message",
     .value = "NAME",
     .doc = "Which message of a Protobuf schema values are; the default is its first."},
    {.name = "compression",
     .letter = 'z',
     .value = "CODEC",
     .default_value = "none",
     .doc = "How batches are compressed.",
     .choices = "none,gzip,snappy,lz4,zstd"},
    {.name = "acks",
     .value = "WHO",
     .default_value = "all",
     .doc = "Who must have a record before it counts as sent: all replicas, the leader, nobody.",
     .choices = "all,1,0"},
    {.name = "no-idempotence",
     .kind = OptionKind::flag,
     .doc = "A record that is sent again after a lost answer may be there twice."},
};
constexpr Positional words[] = {
    {.name = "TOPIC",
     .doc = "The topic; with --format jsonl it may be left out where the records name theirs.",
     .optional = true}};

}  // namespace

const Command produce_command = {
    .noun = "produce",
    .summary = "Send records from standard input to a topic",
    .help =
        "A line is a record. With --format value it is the value; with key-value it is key and\n"
        "value, with the first separator between them; with jsonl it is what weir consume "
        "--output\n"
        "jsonl prints, with nothing lost: topic, partition, timestamp, key, value, headers. There\n"
        "only \"value\" must be there, null is null, and {\"base64\": \"...\"} is bytes that are "
        "no "
        "text.\n"
        "\n"
        "With --registry values are JSON, whatever the language of their schema: Avro without the\n"
        "names of union branches and with bytes in base64, ProtoJSON, or the JSON itself. null is "
        "a\n"
        "tombstone. weir consume --registry shows them so.\n"
        "\n"
        "Records leave as soon as their line is there. The first that fails ends the command: "
        "what\n"
        "was read before it is still sent, and the error names the line. The topic must exist.",
    .example =
        "weir produce orders < values.txt\n"
        "weir produce orders --format key-value --separator : --header source=shop\n"
        "weir produce copy --format jsonl < records.jsonl\n"
        "weir produce orders --registry http://127.0.0.1:8081 < orders.jsonl\n"
        "weir produce copy --format jsonl --by-key --compression zstd --file records.jsonl",
    .options = options,
    .positionals = words,
    .common = common_connection,
    .run = produce,
};

}  // namespace weir::cli
