"""Runs one unittest file of tests/ and leaves what happened as JSON: unittest_json.py FILE OUT [NAME...].

A test runs if a NAME is part of its full name, or of the file's; without names every test runs.
"""
import importlib.util
import json
import sys
import time
import unittest
from pathlib import Path


class Recorder(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rows, self.started = [], 0.0

    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def add(self, test, status, detail=""):
        name = getattr(test, "_testMethodName", str(test))
        row = {"name": f"{type(test).__name__}.{name}", "status": status, "detail": detail,
               "seconds": round(time.monotonic() - self.started, 3)}
        self.rows.append(row)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.add(test, "passed")

    def addError(self, test, err):
        super().addError(test, err)
        self.add(test, "failed", self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.add(test, "failed", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.add(test, "skipped", reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.add(test, "failed", f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.add(test, "failed", "a test must not be expected to fail")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.add(test, "failed", "a test must not be expected to fail")


def each_test(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from each_test(item)
        else:
            yield item


def main():
    file, out, names = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3:]
    tests = Path(__file__).resolve().parent.parent / "tests"
    sys.path.insert(0, str(tests))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    suite = unittest.TestSuite()
    for test in each_test(unittest.defaultTestLoader.loadTestsFromModule(module)):
        if not names or any(n in test.id() or n in file.name for n in names):
            suite.addTest(test)
    result = unittest.TextTestRunner(verbosity=2, resultclass=Recorder).run(suite)
    out.write_text(json.dumps(result.rows))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
