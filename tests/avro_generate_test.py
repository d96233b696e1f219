"""Structs generated from random schemas: they compile without a warning, and give back every byte that they read."""
import concurrent.futures
import json
import os
import secrets
import tempfile
import unittest
from pathlib import Path

from lib import avro, proc
from lib.avro_random import case
from lib.broker import ROOT

SCHEMAS = 5
VALUES = 20
FLAGS = ["-std=c++20", "-O0", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wold-style-cast", "-Werror"]
MAIN = r"""
#include <weir/avro.h>
#include <cstdio>
#include <iostream>
#include <string>
%(includes)s
std::string bytes_of(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}
template <class T>
const char* both_ways(const std::string& bytes, weir::avro::Reader<T>& reader) {
  std::string again;
  auto value = weir::avro::decode<T>(bytes);
  if (!value) return "is refused";
  if (!weir::avro::encode(*value, again) || again != bytes) return "is encoded otherwise";
  T row{};
  again.clear();
  if (!reader.decode(bytes, row)) return "is refused by the plan";
  if (!weir::avro::encode(row, again) || again != bytes) return "is read otherwise by the plan";
  return nullptr;
}
int values = 0;
template <class T, class View>
bool run(const char* name, int count) {
  auto reader = weir::avro::Reader<T>::create(weir::avro::Contract<T>::schema());
  auto views = weir::avro::Reader<View>::create(weir::avro::Contract<T>::schema());
  if (!reader || !views) return std::printf("%%s has no reader\n", name), false;
  for (std::string hex; count-- > 0 && std::getline(std::cin, hex);) {
    const std::string bytes = bytes_of(hex);
    const char* wrong = both_ways<T>(bytes, *reader);
    if (wrong == nullptr) wrong = both_ways<View>(bytes, *views);
    if (wrong != nullptr) return std::printf("%%s: %%s %%s\n", name, hex.c_str(), wrong), false;
    ++values;
    auto value = weir::avro::decode<T>(bytes);
    const T copy = *value;
    const bool nan = !(copy == copy);
    if (!nan && !(copy == *value)) return std::printf("%%s: a copy differs\n", name), false;
  }
  return true;
}
int main() {
  const bool good = %(calls)s;
  std::printf("%%d values\n", values);
  return good ? 0 : 1;
}
"""


class Generated(unittest.TestCase):
    def test_structs_of_random_schemas_compile_and_give_back_every_byte(self):
        seed = secrets.token_hex(8)
        print(f"seed {seed}")
        rows = [case(f"{seed}/{n}", VALUES, f"c{n}") for n in range(SCHEMAS)]
        answers = avro.ours(rows)
        for row, answer in zip(rows, answers):
            self.assertNotIn("error", answer, row["writer"])
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for n, row in enumerate(rows):
                (folder / f"s{n}.avsc").write_text(row["writer"])
            avro.generate(folder / "out", [folder / f"s{n}.avsc" for n in range(SCHEMAS)])
            roots = [json.loads(row["writer"]) for row in rows]
            paths = [f"{root['namespace'].replace('.', '/')}/s{n}" for n, root in enumerate(roots)]
            types = [f"{root['namespace'].replace('.', '::')}::{root['name']}" for root in roots]
            (folder / "main.cc").write_text(MAIN % {
                "includes": "\n".join(f'#include "{path}.h"' for path in paths),
                "calls": " & ".join(f'run<{t}, {t}View>("{t}", {VALUES})' for t in types)})
            sources = [folder / "main.cc", *(folder / "out" / f"{path}.cc" for path in paths)]

            def compile_one(source):
                target = source.with_suffix(".o")
                proc.run(["g++", *FLAGS, f"-I{ROOT}/include", f"-I{folder}/out", "-c", source, "-o", target], deadline_s=600)
                return target

            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = list(pool.map(compile_one, sources))
            libraries = [avro.build_folder() / "src" / room / f"libweir_{room}.a" for room in ("contract", "json", "compress", "base")]
            proc.run(["g++", *objects, *libraries, "-lfmt", "-lz", "-lsnappy", "-lzstd", "-llz4", "-o", folder / "run"])
            lines = "".join(value["hex"] + "\n" for answer in answers for value in answer["values"])
            done = proc.run([folder / "run"], stdin=lines, expect=None)
            self.assertEqual((done.code, done.out), (0, f"{SCHEMAS * VALUES} values\n"), done.err + "\n".join(row["writer"] for row in rows))


if __name__ == "__main__":
    unittest.main()
