// Scripts of tests/lib/stream_scripts.py, a line each, in weir's test driver; what came out, a line
// each. tests/java/StreamScripts.java does the same with Kafka Streams.
//
// Of a script it obeys two members more: "partitions" of the driver, and "crashes": the driver
// loses its tasks again and again, sometimes their state too.
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <cstdio>

#include "stream_script_builder.h"

namespace weir::streams {
namespace {

using std::string;

Text text_of(const json::Value& value) {
  const string* text = value.as_string();
  return text != nullptr ? Text(*text) : Text();
}
json::Value json_of(const Text& text) { return text ? json::Value(*text) : json::Value(); }

void play(const json::Array& event, TestDriver& driver) {
  const string& topic = *event.at(0).as_string();
  if (topic == "advance") return driver.advance(std::chrono::milliseconds(*event.at(1).as_int()));
  RawRecord record{.topic = topic,
                   .key = text_of(event.at(1)),
                   .value = text_of(event.at(2)),
                   .timestamp_ms = *event.at(3).as_int()};
  for (const json::Value& header : *event.at(4).as_array()) {
    auto& added = record.headers.emplace_back();
    added.key = *header.as_array()->at(0).as_string();
    added.value = text_of(header.as_array()->at(1));
  }
  driver.pipe(std::move(record));
}

json::Value shown(const RawRecord& record) {
  json::Array headers;
  for (const auto& header : record.headers)
    headers.push_back(json::Array{header.key, json_of(header.value)});
  return json::Array{json_of(record.key), json_of(record.value), record.timestamp_ms,
                     std::move(headers)};
}

/// What came out, by event and topic.
json::Array run(const Node& script) {
  const Builder builder(script);
  TestDriver driver(builder.topology(),
                    {.partitions = static_cast<std::int32_t>(script.number("partitions"))});
  json::Array outputs;
  for (const json::Value& event : script.list("events")) {
    play(*event.as_array(), driver);
    if (script.flag("crashes") && outputs.size() % 3 == 2) driver.crash();
    if (script.flag("crashes") && outputs.size() % 5 == 4) driver.crash_and_lose_state();
    json::Object made;
    for (const json::Value& topic : script.list("topics")) {
      json::Array records;
      for (const RawRecord& record : driver.raw_output(*topic.as_string()))
        records.push_back(shown(record));
      if (!records.empty()) made.set(*topic.as_string(), std::move(records));
    }
    outputs.push_back(std::move(made));
  }
  return outputs;
}

json::Value answer(const string& line) {
  const auto script = json::parse(line);
  if (!script) return json::Object{{"error", script.error().message()}};
  try {
    return json::Object{{"outputs", run(Node(*script))}};
  } catch (const std::exception& e) {
    return json::Object{{"error", e.what()}};
  }
}

}  // namespace
}  // namespace weir::streams

int main() {
  std::string line;
  for (int c = 0; (c = std::getchar()) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    std::puts(weir::json::write(weir::streams::answer(line)).c_str());
    line.clear();
  }
  return 0;
}
