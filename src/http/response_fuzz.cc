// Fuzz target for ResponseParser: an answer may come in any pieces and must give the same.
#include <string>
#include <string_view>

#include "base/check.h"
#include "fuzz/harness.h"
#include "http/response_parser.h"

namespace {

using namespace weir::http;

constexpr ResponseLimits limits{.head_bytes = 512, .headers = 8, .interim = 2, .body_bytes = 64};

struct Read {
  ResponseParser::State state = ResponseParser::State::head;
  std::string why;
  Response response;
  std::size_t taken = 0;
};

/// The first byte says what the connection is like, the rest is what the server sends.
Read read(std::string_view bytes, std::size_t piece) {
  const int how = bytes.empty() ? 0 : bytes.front() & 3;
  if (!bytes.empty()) bytes.remove_prefix(1);
  ResponseParser parser(limits, (how & 1) != 0);
  Read out;
  const auto goes_on = [&] {
    return parser.state() == ResponseParser::State::head ||
           parser.state() == ResponseParser::State::body;
  };
  while (!bytes.empty() && goes_on()) {
    const std::size_t taken = parser.feed(bytes.substr(0, piece));
    out.taken += taken;
    bytes.remove_prefix(taken);
  }
  if ((how & 2) != 0 && goes_on()) parser.end();
  out.state = parser.state();
  if (out.state == ResponseParser::State::failed) out.why = parser.error().message();
  if (out.state == ResponseParser::State::done) out.response = parser.take();
  return out;
}

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  const Read whole = bounded(bytes.size(), [&] { return read(bytes, bytes.size() + 1); });
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
    const Read cut = read(bytes, piece);
    weir::check(cut.state == whole.state && cut.why == whole.why && cut.taken == whole.taken,
                "the pieces decided");
    weir::check(cut.response.body == whole.response.body &&
                    cut.response.status == whole.response.status &&
                    cut.response.headers.size() == whole.response.headers.size(),
                "the pieces decided on an answer");
  }
  if (whole.state != ResponseParser::State::done) return;
  const Response& response = whole.response;
  weir::check(response.status >= 200 && response.status <= 599, "a status that is no answer's");
  weir::check(response.headers.size() <= limits.headers, "headers beyond their limit");
  weir::check(response.body.size() <= limits.body_bytes, "a body beyond its limit");
  canary(response.status == 404 && response.body.size() == 3);
}
