#!/usr/bin/env python3
"""Builds and runs the tests, for people and for CI; `./run test` calls it.

usage: run_tests.py [NAME...] [--quick] [--long]

Stages, each one name in front of its tests:
    unit    every GoogleTest program of the dev preset
    system  tests/*_test.py: whole processes, foreign clients, real Kafka
    proof   every long proof of tests/long-proofs.txt has its result in docs/proofs.json
    asan    the unit stage again under AddressSanitizer and UBSan      } not with --quick,
    tsan    the programs named in tests/tsan.txt under ThreadSanitizer } nor when a NAME
    bench   each microbenchmark once, as short as it goes              } is given
    fuzz    each fuzz target a few seconds from its corpus, within its bound on allocations; its canary must be found,
            and its committed inputs must reach 90 % of its decoders
NAME is part of a program's, a file's or a test's name. The last line is `N passed, N failed, N skipped`; the exit
code is 0 only if something passed and nothing failed. Under CI=true a skipped test is a failure unless
tests/allowed-skips.txt has its name and the reason.

--long runs the commands of tests/long-proofs.txt (NAME COMMAND...) and writes docs/proofs.json. A proof exits 0 if it
holds and prints one line `counters: {...}` (JSON) that says how much it has tried.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

import fuzz
import house

PROGRAM_TIMEOUT_S = 600
SANITIZED_TIMEOUT_S = 1200
PROOF_TIMEOUT_S = 3 * 3600
PROOFS = house.ROOT / "docs" / "proofs.json"
LONG_PROOFS = house.ROOT / "tests" / "long-proofs.txt"


class Outcome:
    """One test that ran: its full name, `passed`, `failed` or `skipped`, and what it said."""

    def __init__(self, name, status, detail="", seconds=0.0):
        self.name, self.status, self.detail, self.seconds = name, status, detail, seconds


def read_table(path, columns):
    """Rows of a text table: `columns` words, then the rest of the line; '#' begins a comment line."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split(None, columns) for line in lines if line.strip() and not line.startswith("#")]


def gtest_filter(program, names):
    """The --gtest_filter for NAMEs; None if the program is not concerned unless a test matches."""
    return "*" if not names or any(n in program for n in names) else ":".join(f"*{n}*" for n in names)


def run_gtest(stage, program, path, names, env, timeout_s):
    """Runs one GoogleTest program; a crash or a deadline is a failure of the test that was running."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [path, f"--gtest_output=json:{report}", f"--gtest_filter={gtest_filter(program, names)}"]
        started = time.monotonic()
        code, output = house.run(command, timeout_s, dict(os.environ, TMPDIR=folder, **env))
        seconds = time.monotonic() - started
        prefix = f"{stage}:{program}"
        died = not report.exists()
        outcomes = read_gtest_text(prefix, output) if died else read_gtest(prefix, report, output)
    unexplained = code != 0 and not any(o.status == "failed" for o in outcomes)
    empty = not outcomes and not names  # a program without a single test is a mistake
    if died or unexplained or empty:
        running = re.findall(r"^\[ RUN      \] (\S+)", output, re.M)
        ended = {o.name for o in outcomes}
        why = f"no end after {timeout_s} s" if code is None else f"exit code {code}"
        name = f"{prefix}.{running[-1]}" if running else prefix
        name = f"{prefix}: after its last test" if name in ended else name
        said = output.rpartition("[ RUN      ]")[2][-8000:]
        outcomes.append(Outcome(name, "failed", f"{why}\n{said}", seconds))
    return outcomes


def read_gtest_text(prefix, output):
    """What a program that died before its report says had ended; the one that was running is not among them."""
    words = {"      OK": "passed", " FAILED ": "failed"}
    ends = re.findall(r"^\[ (      OK| FAILED ) \] (\S+) \(\d+ ms\)$", output, re.M)
    return [Outcome(f"{prefix}.{name}", words[word], test_output(output, name)) for word, name in ends]


def read_gtest(prefix, report, output):
    outcomes = []
    for suite in json.loads(report.read_text()).get("testsuites", []):
        for test in suite.get("testsuite", []):
            name = f"{suite['name']}.{test['name']}"
            detail, status = "", "passed"
            if test.get("failures"):
                status = "failed"
                detail = test_output(output, name) or "\n".join(f["failure"] for f in test["failures"])
            elif test.get("result") == "SKIPPED":
                status, detail = "skipped", test_output(output, name)
            elif test.get("status") == "NOTRUN":
                if "DISABLED_" not in name:
                    continue  # left out by the filter
                status, detail = "skipped", "disabled in the source"
            outcomes.append(Outcome(f"{prefix}.{name}", status, detail, float(test.get("time", "0").rstrip("s"))))
    return outcomes


def test_output(output, name):
    """What one test of a GoogleTest program printed."""
    found = re.search(rf"^\[ RUN      \] {re.escape(name)}\n(.*?)^\[  (?:SKIPPED|FAILED ) ", output, re.S | re.M)
    return found.group(1).strip() if found else ""


def run_system(path, names):
    """Runs one unittest file of tests/ with Debian's Python."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [house.PYTHON, "tools/unittest_json.py", str(path), str(report), *names]
        env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", TMPDIR=folder,
                   TESTED_WEIR=house.programs("dev", "program").get("weir", ""))
        started = time.monotonic()
        code, output = house.run(command, PROGRAM_TIMEOUT_S, env)
        rows = json.loads(report.read_text()) if report.exists() else []
    prefix = f"system:{path.stem}"
    outcomes = [Outcome(f"{prefix}.{r['name']}", r["status"], r["detail"], r["seconds"]) for r in rows]
    if code != 0 and not any(o.status == "failed" for o in outcomes):
        why = f"no end after {PROGRAM_TIMEOUT_S} s" if code is None else f"exit code {code}"
        outcomes.append(Outcome(prefix, "failed", f"{why}\n{output[-8000:]}", time.monotonic() - started))
    return outcomes


def in_parallel(jobs, workers):
    """Runs callables that give outcomes, `workers` at a time, and says each as it ends."""
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for done in concurrent.futures.as_completed([pool.submit(timed, job) for job in jobs]):
            outcomes += say(*done.result())
    return outcomes


def timed(job):
    """What `job` gives, and the seconds that it took: those of a program, with what its tests share."""
    started = time.monotonic()
    return job(), time.monotonic() - started


def stage(name, job):
    """The outcomes of a stage; says how long it was."""
    outcomes, seconds = timed(job)
    print(f"stage {name}: {seconds:.0f} s", flush=True)
    return outcomes


def say(outcomes, seconds):
    """One line a program or file; a line more for each failure."""
    if outcomes:
        program = ".".join(outcomes[0].name.split(".")[:1])
        failed = sum(o.status == "failed" for o in outcomes)
        print(f"  {'FAILED' if failed else 'ok    '} {program}: {len(outcomes)} tests, {seconds:.1f} s", flush=True)
        for o in outcomes:
            if o.status == "failed":
                print(f"         {o.name}", flush=True)
    return outcomes


def unit_stage(names):
    return in_parallel([lambda n=n, p=p: run_gtest("unit", n, p, names, {}, PROGRAM_TIMEOUT_S)
                        for n, p in house.programs("dev", "test").items()], house.JOBS)


def system_stage(names):
    """One file at a time, since these measure time and start brokers; beside them, one at a time, those that mostly wait."""
    patient = {row[0] for row in read_table(house.ROOT / "tests" / "patient-tests.txt", 1)}
    lanes = [], []
    for path in sorted((house.ROOT / "tests").glob("*_test.py")):
        if not names or any(n in path.name or n in path.read_text() for n in names):
            lanes[path.name in patient].append(path)

    def run_lane(lane):
        return [outcome for path in lane for outcome in say(*timed(lambda: run_system(path, names)))]
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        return [outcome for outcomes in pool.map(run_lane, lanes) for outcome in outcomes]


def proof_stage(names):
    known = json.loads(PROOFS.read_text()) if PROOFS.exists() else {}
    outcomes = []
    for name, _ in read_table(LONG_PROOFS, 1):
        if not names or any(n in f"proof:{name}" for n in names):
            there = {"seconds", "date", "counters"} <= known.get(name, {}).keys()
            detail = "" if there else f"docs/proofs.json lacks it: run ./run test --long {name}"
            outcomes.append(Outcome(f"proof:{name}", "passed" if there else "failed", detail))
    return say(outcomes, 0)


def sanitizer_stages():
    house.build("asan")
    env = {"ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
           "UBSAN_OPTIONS": "print_stacktrace=1"}
    outcomes = in_parallel([lambda n=n, p=p: run_gtest("asan", n, p, [], env, SANITIZED_TIMEOUT_S)
                            for n, p in house.programs("asan", "test").items()], house.JOBS)
    house.configure("tsan")
    registered = house.programs("tsan", "test")
    wanted = [row[0] for row in read_table(house.ROOT / "tests" / "tsan.txt", 1) if row[0] in registered]
    if wanted:
        house.build("tsan", wanted)
        env = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
        outcomes += in_parallel([lambda n=n: run_gtest("tsan", n, registered[n], [], env, SANITIZED_TIMEOUT_S)
                                 for n in wanted], house.JOBS)
    return outcomes


def bench_stage():
    """Each microbenchmark once, so that none rots; what it measures here means nothing."""
    outcomes = []
    for name, path in house.programs("dev", "bench").items():
        if name.endswith("_bench"):
            (code, output), seconds = timed(lambda: house.run([path, "--benchmark_min_time=0.0001"], PROGRAM_TIMEOUT_S))
            status = "passed" if code == 0 and "ERROR OCCURRED" not in output else "failed"
            outcomes += say([Outcome(f"bench:{name}", status, output[-4000:], seconds)], seconds)
    return outcomes


def run_fuzz(target, path):
    checks = {"": lambda: fuzz.run_target(target, path, fuzz.SHORT_SECONDS, quiet=True)}
    if not fuzz.is_bound_canary(target):
        checks[".canary"] = lambda: fuzz.run_canary(target, path)
        checks[".coverage"] = lambda: fuzz.coverage_problem(target, path)
    outcomes = []
    for name, check in checks.items():
        problem, seconds = timed(check)
        outcomes.append(Outcome(f"fuzz:{target}{name}", "failed" if problem else "passed", problem, seconds))
    return outcomes


def fuzz_stage():
    house.configure("fuzz")
    targets = fuzz.registered()
    fuzz.prepare(targets)
    return in_parallel([lambda t=t, p=p: run_fuzz(t, p) for t, p in targets.items()], house.JOBS)


def long_proofs(names):
    for preset in ("dev", "release"):
        house.build(preset)
    known = json.loads(PROOFS.read_text()) if PROOFS.exists() else {}
    outcomes = []
    for name, command in read_table(LONG_PROOFS, 1):
        if names and not any(n in name for n in names):
            continue
        print(f"proof: {name}: {command}", flush=True)
        (code, output), seconds = timed(lambda: house.run(shlex.split(command), PROOF_TIMEOUT_S))
        counters = re.findall(r"^counters: (\{.*\})$", output, re.M)
        if code == 0 and counters:
            known[name] = {"seconds": round(seconds, 1), "date": datetime.date.today().isoformat(),
                           "counters": json.loads(counters[-1])}
            PROOFS.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        status = "passed" if code == 0 and counters else "failed"
        outcomes += say([Outcome(f"proof:{name}", status, f"exit code {code}\n{output[-8000:]}", seconds)], seconds)
    return outcomes


def refuse_skips(outcomes):
    """Under CI a test that is left out counts as failed, unless a file says why it may be."""
    allowed = {row[0] for row in read_table(house.ROOT / "tests" / "allowed-skips.txt", 1) if len(row) > 1}
    for o in outcomes:
        if o.status == "skipped" and o.name not in allowed:
            o.status, o.detail = "failed", f"skipped, and tests/allowed-skips.txt does not name it: {o.detail}"


def report(outcomes):
    count = {s: sum(o.status == s for o in outcomes) for s in ("passed", "failed", "skipped")}
    slow = sorted(outcomes, key=lambda o: -o.seconds)[:5]
    if slow and slow[0].seconds > 5:
        print("slowest: " + ", ".join(f"{o.name} {o.seconds:.0f} s" for o in slow if o.seconds > 5))
    for o in outcomes:
        if o.status == "skipped":
            print(f"skipped: {o.name}: {o.detail}")
    for o in outcomes:
        if o.status == "failed":
            print(f"\nFAILED {o.name}\n{o.detail}")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 0 if count["passed"] > 0 and count["failed"] == 0 else 1


def main():
    parser = argparse.ArgumentParser(prog="./run test")
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a program's, file's or test's name")
    parser.add_argument("--quick", action="store_true", help="leave out sanitizers, benchmarks and fuzzing")
    parser.add_argument("--long", action="store_true", help="run the long proofs instead")
    args = parser.parse_args()
    if args.long:
        return report(long_proofs(args.names))
    stage("build", lambda: house.build("dev"))
    outcomes = stage("unit", lambda: unit_stage(args.names))
    outcomes += stage("system", lambda: system_stage(args.names)) + proof_stage(args.names)
    if not args.quick and not args.names:
        outcomes += stage("bench", bench_stage) + stage("sanitizers", sanitizer_stages) + stage("fuzz", fuzz_stage)
    if os.environ.get("CI") == "true":
        refuse_skips(outcomes)
    return report(outcomes)


if __name__ == "__main__":
    sys.exit(main())
