// load: a small client that produces, consumes or waits for a broker, and reports what it saw.
#include <fmt/core.h>
#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <optional>

#include "base/log.h"
#include "run.h"

namespace weir::load {
namespace {

constexpr const char* usage =
    R"(usage: load [MODE] --bootstrap HOST:PORT --topic T [OPTION VALUE]...

modes
  produce   open loop, acks=-1; latency in us from the moment a record was due to its
            acknowledgement, so a stall counts for every record that it delays
  consume   all of the topic, flat out, partitions assigned
  first     tries until one record is acknowledged, from before the broker listens

options
  --partitions N    of the topic (with --create)                      6
  --create          makes the topic first; fine if it is there
  --rate R          records a second; 0: flat out (produce)           1000
  --size BYTES      of a record's value (produce)                     100
  --seconds S       measured (produce)                                10
  --warmup S        at the same rate before that (produce)            2
  --connections C   to each broker                                    1
  --in-flight K     requests unanswered on a connection (produce)     5
  --batch-bytes B   largest batch (produce)                           16384
  --repeat K        reads everything so often (consume)               1
  --wait S          for a broker that does not answer yet             60
)";

template <class T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= 0;
}

bool set_option(Options& o, std::string_view name, std::string_view value) {
  if (name == "--bootstrap") return o.bootstrap = value, true;
  if (name == "--topic") return o.topic = value, true;
  if (name == "--partitions") return parse_number(value, o.partitions) && o.partitions > 0;
  if (name == "--rate") return parse_number(value, o.rate);
  if (name == "--size") return parse_number(value, o.size) && o.size <= 1'000'000;
  if (name == "--seconds") return parse_number(value, o.seconds);
  if (name == "--warmup") return parse_number(value, o.warmup);
  if (name == "--connections") return parse_number(value, o.connections) && o.connections > 0;
  if (name == "--in-flight") return parse_number(value, o.in_flight) && o.in_flight > 0;
  if (name == "--batch-bytes") return parse_number(value, o.batch_bytes);
  if (name == "--repeat") return parse_number(value, o.repeat) && o.repeat > 0;
  if (name == "--wait") return parse_number(value, o.wait);
  return false;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (i == 1 && !word.starts_with('-')) {
      options.mode = word;
    } else if (word == "--create") {
      options.create = true;
    } else if (i + 1 == argc || !set_option(options, word, argv[i + 1])) {
      fmt::print(stderr, "load: {}: not an option with a value that it takes\n", word);
      return std::nullopt;
    } else {
      ++i;
    }
  }
  const bool known =
      options.mode == "produce" || options.mode == "consume" || options.mode == "first";
  if (known && !options.bootstrap.empty() && !options.topic.empty()) return options;
  return std::nullopt;
}

std::string own_cpu() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return fmt::format(R"("own_user_s": {:.3f}, "own_system_s": {:.3f})", seconds(used.ru_utime),
                     seconds(used.ru_stime));
}

int run(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::fputs(usage, stderr);
    return 2;
  }
  set_log_level(LogLevel::warn);
  const auto runtime = io::RealRuntime::create();
  Result<std::string> report = fail(Errc::timed_out, "the run did not end");
  const auto done = [&](Result<std::string> r) {
    report = std::move(r);
    runtime->stop();
  };
  const auto start = options->mode == "consume" ? start_consume
                     : options->mode == "first" ? start_first
                                                : start_produce;
  const auto kept = start(*runtime, *options, done);
  runtime->run();
  if (!report) {
    fmt::print(stderr, "load: {}\n", report.error().message());
    return 1;
  }
  fmt::print("{{{}, {}}}\n", *report, own_cpu());
  return 0;
}

}  // namespace
}  // namespace weir::load

int main(int argc, char** argv) { return weir::load::run(argc, argv); }
