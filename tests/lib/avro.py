"""Avro's implementations in other languages: Java's from Maven Central, fastavro from PyPI, avsc from npm, and our own."""
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from lib import kafka, proc
from lib.broker import helper, program

TESTS = Path(__file__).resolve().parent.parent
FASTAVRO = "fastavro==1.13.1"
DEADLINE_S = 1800


def _cache(name):
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir" / name


def jars():
    """The folder of Java's jars, fetched on the first use; unittest.SkipTest if they cannot be had."""
    spec = importlib.util.spec_from_file_location("fetch_avro", TESTS.parent / "tools" / "fetch_avro.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        return module.fetch()
    except SystemExit as problem:
        raise unittest.SkipTest(str(problem))


_logical = None


def fastavro(logical=False):
    """The module, installed on the first use into a folder of its own; unittest.SkipTest if it cannot be had.

    It reads and writes logical types as their base types unless `logical`: that is one for all who use it.
    """
    global _logical
    folder = _cache(FASTAVRO.replace("==", "-"))
    if not (folder / "fastavro").is_dir():
        with tempfile.TemporaryDirectory() as scratch:
            done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:",
                                   "--target", scratch, FASTAVRO], capture_output=True, text=True)
            if done.returncode:
                raise unittest.SkipTest(f"{FASTAVRO} cannot be had: {done.stderr[-500:]}")
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(scratch, folder, dirs_exist_ok=True)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    module = importlib.import_module("fastavro")
    if _logical is None:
        _logical = dict(module.read.LOGICAL_READERS), dict(module.write.LOGICAL_WRITERS)
    for now, all_of_them in zip((module.read.LOGICAL_READERS, module.write.LOGICAL_WRITERS), _logical):
        now.clear()
        now.update(all_of_them if logical else {})
    return module


def _lines(command, rows):
    """Runs a program that answers each line of JSON with a line of JSON."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    done = proc.run([*map(str, command)], stdin=text, deadline_s=DEADLINE_S)
    answers = [json.loads(line) for line in done.out.split("\n") if line]
    if len(answers) != len(rows):
        raise AssertionError(f"{len(answers)} answers to {len(rows)} rows: {done.err[-2000:]}")
    return answers


class Java:
    """tests/java_avro/AvroPeer.java over Java's library. Use it in `with`."""

    def __enter__(self):
        if shutil.which("javac") is None:
            raise unittest.SkipTest("javac is not there")
        self._folder = tempfile.mkdtemp(prefix="weir-avro-")
        # Kafka's jars beside them have snappy and zstd, which Avro takes where they are.
        self._classes = f"{jars()}/*:{kafka.jars()}/*"
        proc.run(["javac", "-cp", self._classes, "-d", self._folder, TESTS / "java_avro" / "AvroPeer.java"])
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._folder, ignore_errors=True)

    def command(self, *args):
        return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dslf4j.internal.verbosity=ERROR",
                "-cp", f"{self._classes}:{self._folder}", "AvroPeer", *args]

    def copy(self, source, target, codec):
        """Reads a container file and writes its values as another."""
        proc.run(self.command(source, target, codec))

    def ask(self, rows):
        return _lines(self.command(), rows)


def build_folder():
    return Path(program()).parents[2]


def generate(folder, files):
    """Headers and sources of schema files, by our generator."""
    proc.run([build_folder() / "src" / "contract" / "contract_generate", folder, *files])


def copy(source, target, codec):
    """The same as Java.copy, by our library."""
    proc.run([helper("avro_peer"), "copy", source, target, codec])


def ours(rows):
    """The same questions for tests/avro_peer.cc."""
    return _lines([helper("avro_peer")], rows)
