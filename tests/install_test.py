"""What `./run install` leaves: an application in a tree of its own builds against it, component by component."""
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from lib import proc
from lib.broker import ROOT, WeirBroker

BUILD = ROOT / "build" / "dev"


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._temporary.cleanup)
        cls.folder = Path(cls._temporary.name)
        proc.run(["cmake", "--build", BUILD, "--target", "weir_install"], deadline_s=600)

    def install(self, prefix, *components):
        for component in components:
            proc.run(["cmake", "--install", BUILD, "--component", component, "--prefix", prefix], deadline_s=120)

    def build(self, prefix, name, expect=0):
        source, out = self.folder / f"{name}-source", self.folder / f"{name}-build"
        shutil.copytree(ROOT / "examples" / "installed", source)
        environment = {"PATH": "/usr/bin:/bin"}  # no weir of somebody else
        done = proc.run(["cmake", "-S", source, "-B", out, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
                         "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror", "-DCMAKE_CXX_STANDARD=20"],
                        env=environment, expect=expect)
        if expect == 0:
            proc.run(["cmake", "--build", out], deadline_s=300, env=environment)
        return out, done

    def test_the_client_alone_is_enough_for_a_client(self):
        prefix = self.folder / "client"
        self.install(prefix, "client")
        self.assertFalse((prefix / "include" / "weir" / "embed.h").exists())
        out, _ = self.build(prefix, "client")
        self.assertFalse((out / "order").exists() or (out / "alone").exists())
        libraries = proc.run(["ldd", out / "greet"]).out
        for heavy in ("rocksdb", "protobuf", "boost"):
            self.assertNotIn(heavy, libraries)
        with tempfile.TemporaryDirectory() as data, WeirBroker(data) as broker:
            self.assertEqual(proc.run([out / "greet", broker.address]).out, "hello from outside\n")

    def test_all_components_with_types_that_the_installed_program_generates(self):
        prefix = self.folder / "all"
        self.install(prefix, "client", "contract", "serde", "embed", "streams", "tools")
        self.assertTrue(os.access(prefix / "bin" / "weir", os.X_OK))
        out, _ = self.build(prefix, "all")
        self.assertEqual(proc.run([out / "order"]).out, "o-17 costs 1999 cents\n")
        self.assertEqual(proc.run([out / "alone"]).out, "1 topic\n")
        self.assertEqual(proc.run([out / "typed"]).out, "o-17 costs 1999 cents\n")
        self.assertEqual(proc.run([out / "letters"]).out, "a 2\n")
        with tempfile.TemporaryDirectory() as data, WeirBroker(f"{data}/broker") as broker:
            for topic in ("words", "letters"):
                proc.run([prefix / "bin" / "weir", "topic", "create", topic, "--bootstrap", broker.address])
            with proc.Process([out / "letters", "--bootstrap", broker.address, "--state-dir", f"{data}/state"]) as letters:
                letters.wait_for_line("letters: runs in the group letters", 30, "err")
                self.assertEqual(letters.terminate(30), 0, letters.output())

    def test_what_is_missing_is_named(self):
        prefix = self.folder / "contract"
        self.install(prefix, "contract")
        _, done = self.build(prefix, "contract", expect=1)
        self.assertIn("without its component client", done.err)


if __name__ == "__main__":
    unittest.main()
