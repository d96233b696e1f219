// What the parsers make of bytes, for comparison with another one: reads streams (a big-endian
// length, then bytes) from standard input and writes a line of JSON for each. Requests; with the
// argument "answers" what a server sends, behind the method that it answers and a blank, until it
// ends the connection.
#include <cstdint>
#include <cstdio>
#include <string>

#include "base/base64.h"
#include "base/bytes.h"
#include "http/parser.h"
#include "http/response_parser.h"
#include "json/json.h"

namespace {

using namespace weir;

json::Value described(const http::Request& request) {
  json::Array headers;
  for (const http::Header& header : request.headers)
    headers.push_back(json::Array{to_base64(header.name), to_base64(header.value)});
  return json::Object{{"method", request.method},         {"path", request.path},
                      {"query", request.query},           {"minor", request.minor_version},
                      {"keep_alive", request.keep_alive}, {"headers", std::move(headers)},
                      {"body", to_base64(request.body)}};
}

std::string read(std::string_view bytes) {
  http::RequestParser parser{http::RequestLimits{}};
  json::Array requests;
  while (!bytes.empty() && parser.state() != http::RequestParser::State::failed) {
    bytes.remove_prefix(parser.feed(bytes));
    if (parser.state() == http::RequestParser::State::head_done) parser.accept_body(1U << 20U);
    if (parser.state() == http::RequestParser::State::done)
      requests.push_back(described(parser.take()));
  }
  json::Object out{{"requests", std::move(requests)}, {"status", 0}, {"why", ""}};
  if (parser.state() == http::RequestParser::State::failed) {
    out.set("status", parser.fault().status);
    out.set("why", parser.fault().why);
  }
  return json::write(out);
}

std::string read_answer(std::string_view bytes) {
  const auto blank = bytes.find(' ');
  http::ResponseParser parser(http::ResponseLimits{}, bytes.substr(0, blank) == "HEAD");
  bytes.remove_prefix(blank + 1);
  bytes.remove_prefix(parser.feed(bytes));
  parser.end();
  if (parser.state() == http::ResponseParser::State::failed)
    return json::write(json::Object{{"status", 0}, {"why", parser.error().message()}});
  const http::Response response = parser.take();
  json::Array headers;
  for (const http::Header& header : response.headers)
    headers.push_back(json::Array{to_base64(header.name), to_base64(header.value)});
  return json::write(json::Object{{"status", response.status},
                                  {"headers", std::move(headers)},
                                  {"content_type", to_base64(response.content_type)},
                                  {"close", response.close},
                                  {"rest", to_base64(bytes)},
                                  {"body", to_base64(response.body)}});
}

}  // namespace

int main(int count, char** words) {
  const bool answers = count > 1 && std::string_view(words[1]) == "answers";

  std::string bytes;
  char length[4];
  while (std::fread(length, 1, sizeof length, stdin) == sizeof length) {
    bytes.resize(load_be<std::uint32_t>(length));
    if (std::fread(bytes.data(), 1, bytes.size(), stdin) != bytes.size()) return 1;
    std::printf("%s\n", (answers ? read_answer(bytes) : read(bytes)).c_str());
  }
  return 0;
}
