// run(): a stream application as a whole program.
#include <weir/streams/application.h>
#include <weir/streams/describe.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <vector>

#include "io/runtime.h"
#include "streams/run_reset.h"

namespace weir::streams {
inline namespace v1 {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_not_agreed = 3;
constexpr Duration look_interval = std::chrono::milliseconds(50);
constexpr std::chrono::seconds stop_timeout(30);

struct Arguments {
  std::string bootstrap = "127.0.0.1:9092";
  ApplicationOptions options = {};
  std::map<std::string, std::string> settings = {};  // of the client, by Kafka's names
  std::optional<DescriptionForm> describe = std::nullopt;
  bool resets = false;
  ResetFlags reset = {};
  bool help = false;
};

struct Flag {
  std::string_view name;
  std::string_view value;  // what it takes, for people; empty: nothing
  std::string_view help;
  /// Why the value is not valid; empty if it is.
  std::string (*read)(Arguments& into, std::string_view value);
};

template <class Number>
std::string read_number(std::string_view text, Number least, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < least)
    return "want a number of at least " + std::to_string(least);
  return "";
}

std::string read_ms(std::string_view text, std::int64_t least, std::chrono::milliseconds& out) {
  std::int64_t ms = 0;
  std::string wrong = read_number(text, least, ms);
  out = std::chrono::milliseconds(ms);
  return wrong;
}

std::string read_on_error(Arguments& into, std::string_view text) {
  const std::map<std::string_view, OnError> ways = {
      {"fail", OnError::fail}, {"dead-letter", OnError::dead_letter}, {"skip", OnError::skip}};
  const auto found = ways.find(text);
  if (found == ways.end()) return "want fail, dead-letter or skip";
  into.options.on_failure = into.options.on_undecodable = found->second;
  return "";
}

std::string read_assignment(Arguments& into, std::string_view text) {
  const std::map<std::string_view, Assignment> ways = {{"state-aware", Assignment::state_aware},
                                                       {"sticky", Assignment::sticky},
                                                       {"round-robin", Assignment::round_robin},
                                                       {"fixed", Assignment::fixed}};
  const auto found = ways.find(text);
  if (found == ways.end()) return "want state-aware, sticky, round-robin or fixed";
  into.options.assignment = found->second;
  return "";
}

constexpr Flag flags[] = {
    {"bootstrap", "HOST:PORT,…", "brokers to begin with (default 127.0.0.1:9092)",
     [](Arguments& into, std::string_view value) {
       into.bootstrap = value;
       return std::string();
     }},
    {"threads", "N", "threads of this instance (default 1)",
     [](Arguments& into, std::string_view value) {
       return read_number(value, 1, into.options.threads);
     }},
    {"state-dir", "DIR", "folder of local state; without it state is in memory",
     [](Arguments& into, std::string_view value) {
       into.options.state_dir = value;
       return std::string();
     }},
    {"at-least-once", "", "commit without transactions: after a failure some is processed again",
     [](Arguments& into, std::string_view) {
       into.options.guarantee = Guarantee::at_least_once;
       return std::string();
     }},
    {"commit-interval-ms", "N", "time between commits (default 100, with --at-least-once 30000)",
     [](Arguments& into, std::string_view value) {
       return read_ms(value, 1, into.options.commit_interval.emplace());
     }},
    {"cache-bytes", "N", "of the rows in front of the stores, all threads (default 67108864)",
     [](Arguments& into, std::string_view value) {
       return read_number(value, std::size_t{1}, into.options.cache_bytes);
     }},
    {"max-task-idle-ms", "N", "how long an input that has nothing holds others up (default 0)",
     [](Arguments& into, std::string_view value) {
       return read_ms(value, -1, into.options.max_task_idle);
     }},
    {"session-timeout-ms", "N",
     "how long an instance may be silent before others take over (default 45000)",
     [](Arguments& into, std::string_view value) {
       std::string wrong = read_ms(value, 3, into.options.session_timeout);
       into.options.heartbeat_interval =
           std::min(into.options.heartbeat_interval, into.options.session_timeout / 3);
       return wrong;
     }},
    {"heartbeat-interval-ms", "N",
     "how often it says that it lives, and hears of changes (default 3000, a third of the session "
     "at most)",
     [](Arguments& into, std::string_view value) {
       return read_ms(value, 1, into.options.heartbeat_interval);
     }},
    {"transaction-timeout-ms", "N",
     "when a transaction that nobody ends is aborted (default 60000)",
     [](Arguments& into, std::string_view value) {
       return read_ms(value, 1, into.options.transaction_timeout);
     }},
    {"on-error", "WHAT", "fail, dead-letter or skip a record that fails (default fail)",
     read_on_error},
    {"dead-letters", "TOPIC", "where dead letters go",
     [](Arguments& into, std::string_view value) {
       into.options.dead_letters = value;
       return std::string();
     }},
    {"repartition-purge-interval-ms", "N",
     "how often consumed records of repartitions are deleted (default 30000; 0: never)",
     [](Arguments& into, std::string_view value) {
       return read_ms(value, 0, into.options.repartition_purge_interval);
     }},
    {"standby-replicas", "N", "hot replicas of each task with state (default 0)",
     [](Arguments& into, std::string_view value) {
       return read_number(value, 0, into.options.standby_replicas);
     }},
    {"assignment", "WHAT",
     "state-aware (default), sticky, round-robin or fixed; the same in all instances",
     read_assignment},
    {"fixed-slots", "N", "with --assignment fixed: partition modulo N is the slot",
     [](Arguments& into, std::string_view value) {
       return read_number(value, 1, into.options.fixed_slots);
     }},
    {"fixed-slot", "N", "with --assignment fixed: that of this instance, from 0",
     [](Arguments& into, std::string_view value) {
       return read_number(value, 0, into.options.fixed_slot);
     }},
    {"tag", "NAME=VALUE", "of this instance, e.g. zone=a; may be repeated",
     [](Arguments& into, std::string_view value) {
       const std::size_t equals = value.find('=');
       if (equals == std::string_view::npos) return std::string("want NAME=VALUE");
       into.options.tags[std::string(value.substr(0, equals))] = value.substr(equals + 1);
       return std::string();
     }},
    {"spread-tag", "NAME", "replicas go to instances with different values of it; may be repeated",
     [](Arguments& into, std::string_view value) {
       into.options.spread_tags.emplace_back(value);
       return std::string();
     }},
    {"group-instance-id", "ID",
     "of a static member: a restart within the session takes nothing from others",
     [](Arguments& into, std::string_view value) {
       into.options.group_instance_id = value;
       return std::string();
     }},
    {"restore-bytes-per-second", "N",
     "how fast each thread reads changelogs at most (default 0: no bound)",
     [](Arguments& into, std::string_view value) {
       return read_number<std::int64_t>(value, 0, into.options.restore_bytes_per_second);
     }},
    {"replication-factor", "N", "of the application's own topics (default: the brokers')",
     [](Arguments& into, std::string_view value) {
       return read_number<std::int16_t>(value, 1, into.options.replication_factor);
     }},
    {"monitor", "HOST:PORT", "serve /metrics, /livez and /readyz there (port 0: any)",
     [](Arguments& into, std::string_view value) {
       into.options.monitor = value;
       return std::string();
     }},
    {"monitor-allow-remote", "", "let other machines read /metrics (the others they may anyway)",
     [](Arguments& into, std::string_view) {
       into.options.monitor_allow_remote = true;
       return std::string();
     }},
    {"monitor-host", "NAME", "a name that this machine has for who asks there; may be repeated",
     [](Arguments& into, std::string_view value) {
       into.options.monitor_hosts.emplace_back(value);
       return std::string();
     }},
    {"set", "NAME=VALUE", "a setting of the client by Kafka's name, e.g. security.protocol=SSL",
     [](Arguments& into, std::string_view value) {
       const std::size_t equals = value.find('=');
       if (equals == std::string_view::npos) return std::string("want NAME=VALUE");
       into.settings[std::string(value.substr(0, equals))] = value.substr(equals + 1);
       return std::string();
     }},
    {"describe", "[=FORM]", "show the topology as text, json, mermaid or dot, and end",
     [](Arguments& into, std::string_view value) {
       into.describe = description_form(value.empty() ? "text" : value);
       return into.describe ? std::string() : std::string("want text, json, mermaid or dot");
     }},
    {"reset", "[=FORM]", "show as text or json what it takes to begin anew, and end",
     [](Arguments& into, std::string_view value) {
       into.resets = true;
       into.reset.json = value == "json";
       return value.empty() || value == "text" || value == "json"
                  ? std::string()
                  : std::string("want text or json");
     }},
    {"reset-to", "WHERE",
     "with --reset: earliest or latest offsets of the inputs (default earliest)",
     [](Arguments& into, std::string_view value) {
       into.reset.to_latest = value == "latest";
       return value == "earliest" || value == "latest" ? std::string()
                                                       : std::string("want earliest or latest");
     }},
    {"execute", "", "with --reset: do it",
     [](Arguments& into, std::string_view) {
       into.reset.execute = true;
       return std::string();
     }},
    {"yes", "", "with --execute: do not ask",
     [](Arguments& into, std::string_view) {
       into.reset.yes = true;
       return std::string();
     }},
    {"force", "", "with --reset: remove instances from the group",
     [](Arguments& into, std::string_view) {
       into.reset.force = true;
       return std::string();
     }},
    {"help", "", "show this",
     [](Arguments& into, std::string_view) {
       into.help = true;
       return std::string();
     }},
};

/// Its value is optional: --describe, --describe=json.
bool may_stand_alone(const Flag& flag) { return flag.value.starts_with('['); }

void print_usage(std::FILE* to, const std::string& name) {
  std::fprintf(to, "%s: a stream application on weir.\n\n", name.c_str());
  for (const Flag& flag : flags) {
    std::string left = "  --" + std::string(flag.name);
    if (!flag.value.empty()) left += (may_stand_alone(flag) ? "" : " ") + std::string(flag.value);
    std::fprintf(to, "%-28s %s\n", left.c_str(), std::string(flag.help).c_str());
  }
  std::fprintf(to,
               "\nEach may be set in the environment: --state-dir as WEIR_STATE_DIR. Further "
               "instances share the work.\nSIGTERM and SIGINT end it in order.\n");
}

/// "state-dir" as WEIR_STATE_DIR.
std::string variable_of(std::string_view flag) {
  std::string out = "WEIR_";
  for (const char c : flag)
    out += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

Result<void> set_flag(const Flag& flag, Arguments& into, std::string_view value) {
  const std::string wrong = flag.read(into, value);
  if (wrong.empty()) return {};
  return fail(Errc::usage,
              "--" + std::string(flag.name) + " '" + std::string(value) + "': " + wrong);
}

Result<void> read_environment(Arguments& into) {
  for (const Flag& flag : flags) {
    if (flag.value.empty() || may_stand_alone(flag)) continue;
    if (const char* value = std::getenv(variable_of(flag.name).c_str()))
      if (auto set = set_flag(flag, into, value); !set) return set;
  }
  return {};
}

Result<Arguments> read_arguments(const std::vector<std::string_view>& words) {
  Arguments out;
  if (auto read = read_environment(out); !read) return fail(read.error());
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (!word.starts_with("--"))
      return fail(Errc::usage, "'" + std::string(word) + "' is no flag; --help shows them");
    word.remove_prefix(2);
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const auto flag = std::ranges::find(flags, name, &Flag::name);
    if (flag == std::end(flags))
      return fail(Errc::usage,
                  "there is no --" + std::string(name) + "; --help shows what there is");
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else if (!flag->value.empty() && !may_stand_alone(*flag)) {
      if (i + 1 == words.size())
        return fail(Errc::usage,
                    "--" + std::string(name) + " needs a value: " + std::string(flag->value));
      value = words[++i];
    }
    if (auto set = set_flag(*flag, out, value); !set) return fail(set.error());
  }
  if (!out.resets && (out.reset.execute || out.reset.yes || out.reset.force || out.reset.to_latest))
    return fail(Errc::usage, "--reset-to, --execute, --yes and --force are for --reset");
  if (!out.settings.empty()) {
    auto client = ClientOptions::from_settings(out.settings);
    if (!client) return fail(client.error());
    out.options.client = *std::move(client);
  }
  return out;
}

int complain(const std::string& name, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), error.message().c_str());
  return error.code() == Errc::usage ? exit_usage : exit_failed;
}

/// Until a signal comes or it ends by itself.
Result<void> run_until_told(Application& application, const std::string& name) {
  auto runtime = io::RealRuntime::create();
  bool told = false;
  const auto stop = [&] {
    told = true;
    runtime->stop();
  };
  runtime->on_signal(SIGTERM, stop);
  runtime->on_signal(SIGINT, stop);
  // Whoever reads this may send a signal.
  std::fprintf(stderr, "%s: runs in the group %s\n", name.c_str(), name.c_str());
  if (const auto port = application.monitor_port(); port != 0)
    std::fprintf(stderr, "%s: /metrics, /livez and /readyz are on port %d\n", name.c_str(), port);
  std::function<void()> look = [&] {
    if (application.state() != Application::State::running) return runtime->stop();
    runtime->loop().call_after(look_interval, look);
  };
  look();
  runtime->run();
  if (told) return application.stop(stop_timeout);
  return application.wait();
}

}  // namespace

int run(Topology topology, int argc, char** argv) {
  const std::string name = topology.name();
  const std::vector<std::string_view> words(argv + std::min(argc, 1), argv + argc);
  auto arguments = read_arguments(words);
  if (!arguments) return complain(name, arguments.error());
  if (arguments->help) {
    print_usage(stdout, name);
    return 0;
  }
  if (arguments->describe) {
    std::fputs(describe(topology, *arguments->describe, arguments->options.cache_bytes).c_str(),
               stdout);
    return 0;
  }
  if (arguments->resets) {
    const auto agreed = run_reset(topology.graph(), arguments->bootstrap, arguments->options.client,
                                  arguments->options.state_dir, arguments->reset);
    if (!agreed) return complain(name, agreed.error());
    return *agreed ? 0 : exit_not_agreed;
  }
  auto application =
      Application::start(std::move(topology), arguments->bootstrap, arguments->options);
  if (!application) return complain(name, application.error());
  if (auto ended = run_until_told(*application, name); !ended) return complain(name, ended.error());
  return 0;
}

}  // namespace v1
}  // namespace weir::streams
