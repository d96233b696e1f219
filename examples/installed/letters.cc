// A stream application against an installed weir: with arguments it runs (--help shows them),
// without it tests its topology.
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <cstdio>
#include <utility>

int main(int argc, char** argv) {
  using namespace weir::streams;
  const weir::Topic<std::string, std::string> words{"words", &weir::string_codec,
                                                    &weir::string_codec};
  const weir::EntityTopic<std::string, std::int64_t> letters{"letters", &weir::int64_codec,
                                                             &weir::string_codec};
  Topology topology{"letters"};
  topology.stream(words)
      .group_by([](const std::string& word) { return word.substr(0, 1); }, "by-letter")
      .count("letters")
      .to(letters);
  if (argc > 1) return run(std::move(topology), argc, argv);
  TestDriver driver{topology, {.partitions = 3}};
  for (const char* word : {"apple", "avocado"})
    driver.pipe<std::string, std::string>(words, "k", word, weir::Timestamp());
  const auto counts = driver.output(letters);
  std::printf("%s %lld\n", counts.back().key->c_str(),
              static_cast<long long>(*counts.back().value));
  return 0;
}
