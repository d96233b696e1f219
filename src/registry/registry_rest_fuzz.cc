// Whatever is asked of a registry, line by line as METHOD TARGET BODY: every request has one
// answer, a refusal says its code, and a restart from the records changes no answer.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "registry/registry_test_kit.h"

namespace weir::registry {
namespace {

constexpr std::size_t most_requests = 40;

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
    const auto answer = registry.call(method, target, line);
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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::registry::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
