// Answers questions about Avro with our own library, a line of JSON each; tests/lib/avro.py asks.
//
// {"writer": schema, "reader": schema, "json": [...] or "hex": [...]} ->
//   {"compatible", "problems": [{"kind", "at"}], "canonical", "crc64", "text",
//    "values": [{"hex", "written", "json", "single": hex, "read" or "error"}]}
//
// usage: avro_peer; avro_peer copy FROM TO CODEC (a container file into another)
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "base/bytes.h"
#include "contract/avro/compatibility.h"
#include "contract/avro/container.h"
#include "contract/avro/encode.h"
#include "contract/avro/json_codec.h"
#include "contract/avro/plan.h"
#include "contract/avro/schema.h"

namespace weir::contract::avro {
namespace {

/// As the other peers write it: unions without names, bytes as {"bytes": hex}.
json::Value shown(const View& value) {
  switch (value.kind()) {
    case Kind::float32:
    case Kind::float64:
      if (std::isfinite(value.real())) return value.real();
      return to_json(value, JsonForm::plain);
    case Kind::bytes:
    case Kind::fixed: return json::Object{{"bytes", to_hex(value.bytes())}};
    case Kind::array: {
      json::Array out;
      for (std::size_t i = 0; i < value.size(); ++i) out.push_back(shown(value.at(i)));
      return out;
    }
    case Kind::map:
    case Kind::record: {
      json::Object out;
      for (std::size_t i = 0; i < value.size(); ++i)
        out.append(
            value.kind() == Kind::map ? std::string(value.key(i)) : value.type().fields[i].name,
            shown(value.at(i)));
      return out;
    }
    default: return to_json(value, JsonForm::plain);
  }
}

struct Question {
  SchemaPtr writer;
  SchemaPtr reader;
  PlanPtr same;
  Result<PlanPtr> plan;
};

Result<json::Value> value(const Question& question, const std::string& bytes) {
  json::Object out{{"hex", to_hex(bytes)}};
  Arena arena;
  const auto written = decode(*question.same, bytes, arena, {.borrow = true});
  if (!written) return fail(written.error());
  out.set("written", shown(*written));
  out.set("json", json::write(to_json(*written)));
  std::string single;
  if (auto r = encode_single_object(*written, single); !r) return fail(r.error());
  const auto parts = parse_single_object(single);
  if (!parts || parts->fingerprint != question.writer->fingerprint() || parts->value != bytes)
    return fail(Errc::malformed, "a single object is not what it was made of");
  out.set("single", to_hex(single));
  if (!question.plan) {
    out.set("error", question.plan.error().message());
  } else if (const auto read = decode(**question.plan, bytes, arena)) {
    out.set("read", shown(*read));
  } else {
    out.set("error", read.error().message());
  }
  return json::Value(std::move(out));
}

Result<std::string> bytes_of(const Question& question, const json::Value& json) {
  Arena arena;
  const auto value = from_json(*question.writer, json, arena);
  if (!value) return fail(value.error());
  std::string out;
  if (auto r = encode(*value, out); !r) return fail(r.error());
  return out;
}

Result<json::Value> values(const Question& question, const json::Value& row) {
  json::Array out;
  for (const std::string_view given : {"json", "hex"}) {
    const json::Value* list = row.find(given);
    if (list == nullptr) continue;
    for (const json::Value& each : *list->as_array()) {
      auto bytes = given == "json" ? bytes_of(question, each) : from_hex(*each.as_string());
      if (!bytes) return fail(bytes.error());
      auto answer = value(question, *bytes);
      if (!answer) return answer;
      out.push_back(std::move(*answer));
    }
  }
  return json::Value(std::move(out));
}

Result<json::Value> answer(const json::Value& row) {
  auto writer = Schema::parse(*row.find("writer")->as_string());
  if (!writer) return fail(writer.error());
  auto reader = Schema::parse(*row.find("reader")->as_string());
  if (!reader) return fail(reader.error());
  const auto differences = compare(**reader, **writer);
  if (!differences) return fail(differences.error());
  const auto same = resolve(*writer, *writer);
  if (!same) return fail(same.error());
  json::Array problems;
  for (const Difference& difference : *differences)
    problems.emplace_back(json::Object{{"kind", difference.rule}, {"at", difference.at}});
  auto list = values({*writer, *reader, *same, resolve(*writer, *reader)}, row);
  if (!list) return list;
  char crc[17];
  std::snprintf(crc, sizeof crc, "%016lx", (*writer)->fingerprint());
  return json::Value(json::Object{{"compatible", differences->empty()},
                                  {"problems", problems},
                                  {"canonical", (*writer)->canonical()},
                                  {"crc64", crc},
                                  {"text", (*writer)->text()},
                                  {"values", std::move(*list)}});
}

int answer_lines() {
  std::string line;
  for (int c = 0; (c = std::getchar()) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    const auto row = json::parse(line);
    auto out = row ? answer(*row) : Result<json::Value>(fail(row.error()));
    std::puts(json::write(out ? *out : json::Value(json::Object{{"error", out.error().message()}}))
                  .c_str());
    line.clear();
  }
  return 0;
}

Result<void> copy_file(const char* from, const char* to, std::string_view codec) {
  std::ifstream in(from, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  auto reader = ContainerReader::open(file);
  if (!reader) return fail(reader.error());
  ContainerOptions options{.block_bytes = 2000, .metadata = reader->metadata()};
  for (const auto known :
       {ContainerCodec::deflate, ContainerCodec::snappy, ContainerCodec::zstandard})
    if (name_of(known) == codec) options.codec = known;
  const auto plan = resolve(reader->schema(), reader->schema());
  if (!plan) return fail(plan.error());
  Rng rng = Rng::from_system();
  auto writer = ContainerWriter::create(reader->schema(), rng, options);
  if (!writer) return fail(writer.error());
  Arena arena;
  for (;;) {
    arena.reset();
    const Cell* cell = nullptr;
    const auto more = reader->next(**plan, arena, cell, {.borrow = true});
    if (!more) return fail(more.error());
    if (!*more) break;
    if (auto r = writer->add(View(*reader->schema(), *cell)); !r) return r;
  }
  if (auto r = writer->flush(); !r) return r;
  std::ofstream(to, std::ios::binary) << writer->output();
  return {};
}

}  // namespace
}  // namespace weir::contract::avro

int main(int argc, char** argv) {
  using namespace weir::contract::avro;
  if (argc != 5) return answer_lines();
  const auto done = copy_file(argv[2], argv[3], argv[4]);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return done ? 0 : 1;
}
