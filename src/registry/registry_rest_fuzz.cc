// Whatever is asked of a registry, line by line as METHOD TARGET BODY: every request has one
// answer, a refusal says its code, and a restart from the records changes no answer.
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/harness.h"
#include "registry/registry_test_kit.h"

namespace weir::registry {
namespace {

constexpr std::size_t most_requests = 40;

// A body becomes JSON (256 bytes a byte, as json_fuzz.cc says), of which text and parts are copied
// into the schema, its record, the stream and the store; a short one brings along a table of
// endpoints.
constexpr std::size_t bytes_a_byte = 1024;
constexpr std::size_t bytes_a_request = std::size_t{256} << 10U;

std::string_view take(std::string_view& rest, char border) {
  const auto end = rest.find(border);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

std::string answers(TestRegistry& registry) {
  std::string out;
  for (const char* target : {"/subjects?deleted=true", "/schemas?subjectPrefix=:*:&deleted=true",
                             "/contexts", "/config", "/mode"})
    out += registry.call("GET", target).text + "\n";
  return out;
}

void run(std::string_view text) {
  TestRegistry registry;
  for (std::size_t n = 0; n < most_requests && !text.empty(); ++n) {
    std::string_view line = take(text, '\n');
    const std::string_view method = take(line, ' ');
    const std::string_view target = take(line, ' ');
    if (!target.starts_with('/')) continue;
    const auto answer = fuzz::bounded_by(bytes_a_byte * line.size() + bytes_a_request,
                                         [&] { return registry.call(method, target, line); });
    fuzz::canary(answer.status == 200 && target.starts_with("/schemas/ids/"));
    check(answer.status >= 200 && answer.status < 600, "a status");
    check(answer.status != 500, "no request is the server's own fault");
    if (answer.status >= 400 && !answer.text.empty())
      check(answer.code() != 0, "a refusal says its code");
  }
  TestRegistry restarted;
  for (const auto& record : registry.stream)
    check(restarted.append_as(record).has_value(), "what was written can be read");
  check(answers(restarted) == answers(registry), "a restart changes no answer");
}

}  // namespace
}  // namespace weir::registry

void weir::fuzz::input(std::string_view bytes) { registry::run(bytes); }
