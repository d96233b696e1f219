// What Apache's Avro for C spends on one order. usage: contracts_libavro WRITER HEX SECONDS; prints
// {"decode": ns, "encode": ns}. It refuses a reader's field with a default, so it resolves nothing.
#include <avro.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"

namespace {

template <class Step>
double measure(double seconds, const Step& step) {
  const weir::SystemClock clock;
  const auto began = clock.now();
  const auto end = began + std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  double count = 0;
  while (clock.now() < end) {
    for (int i = 0; i < 1000; ++i) step();
    count += 1000;
  }
  return static_cast<double>((clock.now() - began).count()) / count;
}

}  // namespace

int main(int argc, char** argv) {
  using weir::check;
  check(argc == 4, "usage: contracts_libavro WRITER HEX SECONDS");
  std::ifstream file(argv[1]);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string bytes = weir::from_hex(argv[2]);
  const double seconds = std::strtod(argv[3], nullptr);
  avro_schema_t schema = nullptr;
  check(avro_schema_from_json_length(text.data(), text.size(), &schema) == 0, avro_strerror());
  avro_value_iface_t* kind = avro_generic_class_from_schema(schema);
  avro_value_t value;
  check(avro_generic_value_new(kind, &value) == 0, avro_strerror());
  avro_reader_t reader = avro_reader_memory(bytes.data(), static_cast<std::int64_t>(bytes.size()));
  const double decode = measure(seconds, [&] {
    avro_reader_memory_set_source(reader, bytes.data(), static_cast<std::int64_t>(bytes.size()));
    avro_value_reset(&value);
    check(avro_value_read(reader, &value) == 0, avro_strerror());
  });
  std::string out(4096, '\0');
  avro_writer_t writer = avro_writer_memory(out.data(), static_cast<std::int64_t>(out.size()));
  const double encode = measure(seconds, [&] {
    avro_writer_reset(writer);
    check(avro_value_write(writer, &value) == 0, avro_strerror());
  });
  check(out.substr(0, bytes.size()) == bytes, "libavro writes other bytes");
  std::printf("{\"decode\": %f, \"encode\": %f}\n", decode, encode);
  return 0;
}
