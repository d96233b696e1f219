// The airport demo: an embedded broker, a year of real flights, a first microservice in two
// instances, and a table. Its parts can be run one by one, against any broker.
#include <weir/embed.h>
#include <weir/embed_registry.h>
#include <weir/log.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "delay_board.h"
#include "instances.h"
#include "publisher.h"
#include "stream_reader.h"
#include "streams.h"

namespace {

using namespace airport;
using weir::Result;

struct Options {
  std::string part;       // empty: the whole demo
  std::string bootstrap;  // of a part
  std::string registry = "http://127.0.0.1:8081";
  std::string name = "1";
  bool with_parent = false;
  std::string csv = "examples/airport/data";
  std::string folder;     // of the whole demo
  std::string state_dir;  // of an instance
  std::string listen = "127.0.0.1:9092";
  bool once = false;
  bool json = false;
};

constexpr const char* usage =
    "usage: airport_demo [--once] [--data DIR] [--folder DIR] [--listen HOST:PORT] [--json]\n"
    "       airport_demo publish --bootstrap HOST:PORT [--registry URL] [--data DIR]\n"
    "       airport_demo delay-board --bootstrap HOST:PORT [--registry URL] [--once] [--name NAME] "
    "[--state-dir DIR]\n"
    "       airport_demo board --bootstrap HOST:PORT [--registry URL] [--json]\n"
    "\n"
    "Starts an embedded broker in a folder of its own and a schema registry, publishes a year of "
    "flights from New York,\n"
    "runs two instances of the microservice delay-board on them and prints what they found; or "
    "one\n"
    "of these parts.\n"
    "\n"
    "  --once              end then; without it the broker stays up until ^C\n"
    "  --data DIR          the CSV files (examples/airport/data)\n"
    "  --folder DIR        the data of the broker and the state of the instances "
    "(~/.local/state/weir/airport);\n"
    "                      a second run goes on from where the first ended\n"
    "  --listen HOST:PORT  where other programs reach the broker (127.0.0.1:9092; if that is "
    "taken,\n"
    "                      another port)\n"
    "  --registry URL      the schema registry of a part (http://127.0.0.1:8081)\n"
    "  --state-dir DIR     the state of this instance; without it state is in memory\n"
    "  --json              the totals as JSON instead of a table\n";

std::string default_folder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  if (state != nullptr && *state != '\0') return std::string(state) + "/weir/airport";
  return std::string(home == nullptr ? "." : home) + "/.local/state/weir/airport";
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&](std::string& out) {
      if (i + 1 >= argc) return false;
      out = argv[++i];
      return true;
    };
    if (i == 1 && (word == "publish" || word == "delay-board" || word == "board")) {
      options.part = word;
    } else if (word == "--bootstrap") {
      if (!value(options.bootstrap)) return false;
    } else if (word == "--registry") {
      if (!value(options.registry)) return false;
    } else if (word == "--name") {
      if (!value(options.name)) return false;
    } else if (word == "--state-dir") {
      if (!value(options.state_dir)) return false;
    } else if (word == "--with-parent") {
      options.with_parent = true;
    } else if (word == "--once") {
      options.once = true;
    } else if (word == "--json") {
      options.json = true;
    } else if (word == "--data") {
      if (!value(options.csv)) return false;
    } else if (word == "--folder") {
      if (!value(options.folder)) return false;
    } else if (word == "--listen") {
      if (!value(options.listen)) return false;
    } else {
      return false;
    }
  }
  if (options.folder.empty()) options.folder = default_folder();
  return options.part.empty() == options.bootstrap.empty();
}

/// On the wanted port, or on another one if somebody else has it.
Result<weir::embed::Broker> open_broker(const Options& options) {
  const std::string data = options.folder + "/broker";
  auto broker = weir::embed::Broker::open({.data = data, .listen = options.listen});
  if (broker || broker.error().code() != weir::Errc::address_in_use) return broker;
  std::fprintf(stderr, "%s is taken; using another port\n", options.listen.c_str());
  return weir::embed::Broker::open({.data = data, .listen = "127.0.0.1:0"});
}

std::string mean_of(const DelayFigures& figures) {
  if (figures.with_delay == 0) return "-";
  char text[32];
  std::snprintf(
      text, sizeof text, "%.2f",
      static_cast<double>(figures.delay_minutes) / static_cast<double>(figures.with_delay));
  return text;
}

void print_row(const std::string& origin, const std::string& airline, const DelayFigures& f) {
  const std::string largest = f.largest_delay ? std::to_string(*f.largest_delay) : "-";
  std::printf("%-7s %-28s %8lld %10lld %11s %11s %10lld\n", origin.c_str(), airline.c_str(),
              static_cast<long long>(f.flights), static_cast<long long>(f.cancelled),
              mean_of(f).c_str(), largest.c_str(), static_cast<long long>(f.seats));
}

void print_table(const Board& board, const std::map<std::string, std::string>& names) {
  std::printf("%-7s %-28s %8s %10s %11s %11s %10s\n", "origin", "airline", "flights", "cancelled",
              "mean delay", "max delay", "seats");
  DelayFigures total;
  for (const auto& [key, figures] : board) {
    const std::string origin = key.substr(0, key.find(' '));
    const std::string airline = key.substr(key.find(' ') + 1);
    const auto name = names.find(airline);
    print_row(origin, name == names.end() ? airline : name->second, figures);
    add(total, figures);
  }
  print_row("all", "", total);
}

std::string json_of(const DelayFigures& f) {
  std::string largest = f.largest_delay ? std::to_string(*f.largest_delay) : "null";
  return "{\"flights\":" + std::to_string(f.flights) +
         ",\"cancelled\":" + std::to_string(f.cancelled) +
         ",\"with_delay\":" + std::to_string(f.with_delay) +
         ",\"delay_minutes\":" + std::to_string(f.delay_minutes) + ",\"largest_delay\":" + largest +
         ",\"seats\":" + std::to_string(f.seats) + "}";
}

void print_json(const Board& board) {
  DelayFigures total;
  std::string groups;
  for (const auto& [key, figures] : board) {
    groups += (groups.empty() ? "\"" : ",\"") + key + "\":" + json_of(figures);
    add(total, figures);
  }
  std::printf("{\"all\":%s,\"by_origin_and_airline\":{%s}}\n", json_of(total).c_str(),
              groups.c_str());
}

/// The same for the registry, which others may want to ask.
Result<weir::embed::Registry> open_registry(const weir::embed::Broker& broker) {
  auto registry = weir::embed::Registry::start(broker.local(), {.listen = "127.0.0.1:8081"});
  if (registry || registry.error().code() != weir::Errc::address_in_use) return registry;
  std::fprintf(stderr, "127.0.0.1:8081 is taken; the registry is on another port\n");
  return weir::embed::Registry::start(broker.local());
}

Result<std::map<std::string, std::string>> airline_names(weir::Client& client,
                                                         const Streams& streams) {
  const auto& airlines = streams.airlines;
  std::map<std::string, std::string> names;
  auto read = read_to_end(client, std::string(airlines.name),
                          [&](const weir::Batch& batch) -> Result<void> {
                            for (const auto& [key, airline, record] : batch.as(airlines)) {
                              if (!key || !airline)
                                return weir::fail(key ? airline.error() : key.error());
                              if (*airline) names[*key] = (*airline)->name;
                            }
                            return {};
                          });
  if (!read) return weir::fail(read.error());
  return names;
}

Result<void> print_board(const Options& options, weir::Client& client, const Streams& streams) {
  auto result = read_board(client, streams);
  if (!result) return weir::fail(result.error());
  if (options.json) {
    print_json(*result);
  } else {
    auto names = airline_names(client, streams);
    if (!names) return weir::fail(names.error());
    print_table(*result, *names);
  }
  std::fflush(stdout);
  return {};
}

Result<void> publish(const Options& options, weir::Client& client, const Streams& streams) {
  if (auto r = create_streams(client, streams); !r) return r;
  auto published = publish_everything(client, streams, options.csv);
  if (!published) return weir::fail(published.error());
  std::fprintf(stderr, "published %zu records\n", *published);
  return {};
}

Result<void> demo(const Options& options, weir::embed::Broker& broker,
                  const std::string& registry_url) {
  auto client = weir::Client::connect(broker.local());
  if (!client) return weir::fail(client.error());
  auto registry = weir::SchemaRegistry::connect({.url = registry_url});
  if (!registry) return weir::fail(registry.error());
  const Streams streams(*registry);
  if (auto r = publish(options, *client, streams); !r) return r;
  if (auto r = run_two_instances(broker.addresses().front(), registry_url, options.folder); !r)
    return r;
  std::fprintf(stderr, "\n");
  return print_board(options, *client, streams);
}

volatile std::sig_atomic_t stopped = 0;

Result<void> run_part(const Options& options) {
  auto client = weir::Client::connect(options.bootstrap);
  if (!client) return weir::fail(client.error());
  auto registry = weir::SchemaRegistry::connect({.url = options.registry});
  if (!registry) return weir::fail(registry.error());
  const Streams streams(*registry);
  if (options.part == "publish") return publish(options, *client, streams);
  if (options.part == "board") return print_board(options, *client, streams);
  auto counted = run_delay_board(
      *client, streams,
      {.bootstrap = options.bootstrap, .state_dir = options.state_dir, .once = options.once},
      stopped);
  if (!counted) return weir::fail(counted.error());
  std::fprintf(stderr, "delay-board %s counted %zu departures\n", options.name.c_str(), *counted);
  return {};
}

int run_part_to_its_end(const Options& options) {
  if (options.with_parent) {
    die_with_parent();
    weir::set_log_level(weir::LogLevel::warn);  // among what the others say
  }
  std::signal(SIGTERM, [](int) { stopped = 1; });
  if (auto r = run_part(options); !r) {
    std::fprintf(stderr, "airport_demo %s: %s\n", options.part.c_str(),
                 r.error().message().c_str());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(usage, stderr);
    return 2;
  }
  if (!options.part.empty()) return run_part_to_its_end(options);
  // Blocked before any thread starts, so that sigwait below is the only one who gets them.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  std::error_code ignored;
  std::filesystem::create_directories(options.folder, ignored);
  auto broker = open_broker(options);
  if (!broker) {
    std::fprintf(stderr, "airport_demo: %s\n", broker.error().message().c_str());
    return 1;
  }
  auto registry = open_registry(*broker);
  if (!registry) {
    std::fprintf(stderr, "airport_demo: %s\n", registry.error().message().c_str());
    return 1;
  }
  if (auto r = demo(options, *broker, registry->url()); !r) {
    std::fprintf(stderr, "airport_demo: %s\n", r.error().message().c_str());
    return 1;
  }
  if (options.once) return registry->stop() && broker->stop() ? 0 : 1;
  std::fprintf(stderr,
               "\nbroker and registry are up (^C ends them): ./run weir consume flights.departures "
               "--bootstrap %s --registry %s  or  kcat -b %s -C -t operations.delay-board\n",
               broker->addresses().front().c_str(), registry->url().c_str(),
               broker->addresses().front().c_str());
  int signal = 0;
  sigwait(&ends, &signal);
  return registry->stop() && broker->stop() ? 0 : 1;
}
