#!/usr/bin/env python3
"""Fuzzes the decoders; `./run fuzz` calls it.

usage: fuzz.py [TARGET] [SECONDS]       each target that matches so long (60)
       fuzz.py [TARGET] --minutes N     all of them together so long
       fuzz.py [TARGET] --canaries      each target must find its planted fault
       fuzz.py [TARGET] --coverage      how much of each decoder the committed inputs reach; below 90 % fails
       fuzz.py TARGET --minimise        takes what fuzzing found into tests/corpus/TARGET, if it reaches something new

Inputs of a target stand in
    tests/corpus/TARGET/        committed and small
    build/fuzz/seeds/TARGET/    made from other test data of the tree (fuzz_seeds.py), so as good as committed
    build/fuzz/corpus/TARGET/   what fuzzing found on this machine
    tests/fuzz/near/TARGET/     committed: where the search for the canary begins; without it, with nothing
An input that fails is left in build/fuzz/findings/ and named. tests/fuzz/harness.h says what a target is, and
tests/fuzz/decoders.toml which sources it is there for.
"""
import json
import os
import re
import shutil
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import fuzz_seeds
import house

SHORT_SECONDS = 4
DEFAULT_SECONDS = 60
CANARY_SECONDS = 90  # the longest that a canary may hide; most are found in the first attempt
ATTEMPT_SECONDS = 4
LEAST_REACHED = 0.9
BUILD = house.ROOT / "build" / "fuzz"
TESTS = house.ROOT / "tests"
DECODERS = TESTS / "fuzz" / "decoders.toml"
FOUND = "fuzz: the canary is found"
OVER = "fuzz: allocation over its bound"


# ---- running a target

def registered():
    return house.programs("fuzz", "fuzz")


def prepare(targets):
    house.build("fuzz", targets)
    fuzz_seeds.write_all(BUILD / "seeds")


def decoders():
    return tomllib.loads(DECODERS.read_text())


def committed_inputs(target):
    return [str(p) for p in (TESTS / "corpus" / target, BUILD / "seeds" / target) if p.is_dir()]


def is_bound_canary(target):
    """The target whose decoder breaks the bound on allocations: it shows that this would be told."""
    return "canary" in target


def run(path, arguments, timeout_s, **env):
    settings = dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1", LLVM_PROFILE_FILE="/dev/null", **env)
    return house.run([path, "-timeout=10", "-rss_limit_mb=2048", *arguments], timeout_s, settings)


def run_target(target, path, seconds, quiet):
    """Fuzzes one target; '' if all is well, else what is wrong with its output."""
    corpus = BUILD / "corpus" / target
    findings = BUILD / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    code, output = run(path, [f"-max_total_time={seconds}", "-print_final_stats=1", f"-artifact_prefix={findings}/{target}-",
                              str(corpus), *committed_inputs(target)], seconds + 120)
    if not quiet:
        print(output[-2000:])
    if is_bound_canary(target):
        return "" if code and OVER in output else f"the planted allocation was not found in {seconds} s\n{output[-2000:]}"
    return measured_problem(target, output) if code == 0 else f"exit code {code}\n{output[-8000:]}"


def measured_problem(target, output):
    """A target that measures no decode has no bound, unless it says that it decodes nothing."""
    found = re.search(r"^fuzz: measured (\d+) decodes, at most ([\d.]+) % of a bound$", output, re.M)
    if not found:
        return f"it does not say what it has measured\n{output[-2000:]}"
    exempt = "decodes_nothing" in decoders().get(target, {})
    return "" if exempt or int(found.group(1)) else "no decode of it was measured: fuzz::bounded()"


# ---- canaries

def run_canary(target, path, seconds=CANARY_SECONDS):
    """Looks for the planted fault of a target from its near inputs, in none of which it may be; '' if it is found.

    Again and again from the start, with other random numbers: a corpus that has grown without it hides it the better.
    """
    near = TESTS / "fuzz" / "near" / target
    start = [str(near)] if near.is_dir() else []
    with tempfile.TemporaryDirectory() as folder:
        where = f"-artifact_prefix={folder}/"
        if start:
            code, output = run(path, [where, "-runs=0", *start], 60, WEIR_FUZZ_CANARY="1")
            if code != 0:
                return f"the canary is in its near inputs already, or they fail\n{output[-4000:]}"
        began, attempt = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            attempt += 1
            corpus = Path(folder) / str(attempt)
            corpus.mkdir()
            code, output = run(path, [where, f"-seed={attempt}", f"-max_total_time={ATTEMPT_SECONDS}", str(corpus), *start], 60,
                               WEIR_FUZZ_CANARY="1")
            if FOUND in output:
                return ""
            if code != 0:
                break
    return f"the canary was not found in {attempt} attempts (exit code {code})\n{output[-4000:]}"


def canaries(wanted):
    problems = 0
    for target, path in wanted.items():
        if is_bound_canary(target):
            continue
        started = time.monotonic()
        problem = run_canary(target, path)
        print(f"{'FAILED' if problem else 'found '} {target} {time.monotonic() - started:5.1f} s  {problem}", flush=True)
        problems += bool(problem)
    return problems


# ---- coverage

class Unreached(Exception):
    """Why the coverage of a target cannot be told, or is too low."""


def profile(target, path, folder):
    """Replays the committed inputs; the indexed profile of that."""
    raw, indexed = folder / f"{target}.profraw", folder / f"{target}.profdata"
    inputs = committed_inputs(target)
    if not inputs:
        raise Unreached("it has no committed inputs")
    settings = dict(os.environ, LLVM_PROFILE_FILE=str(raw))
    code, output = house.run([path, "-runs=0", f"-artifact_prefix={folder}/", *inputs], 300, settings)
    if code != 0:
        raise Unreached(f"its committed inputs fail, exit code {code}\n{output[-4000:]}")
    code, output = house.run(["llvm-profdata-19", "merge", "-sparse", "-o", str(indexed), str(raw)], 60)
    if code != 0:
        raise Unreached(output[-2000:])
    return indexed


def exported(path, indexed, form):
    """What llvm-cov says of a program; to a file, because it may be long."""
    code, output = house.run(["bash", "-c", 'llvm-cov-19 export -format="$1" -instr-profile="$2" "$3" >"$2.out"', "-", form,
                              str(indexed), path], 300)
    text = Path(f"{indexed}.out")
    if code != 0:
        raise Unreached(output[-2000:])
    return text.read_text()


def relative(source):
    """A source as it is named from the root, a generated one from the build's folder, whichever way the compiler knew it."""
    name = re.sub(r"^(\.{1,2}/)+", "", source.removeprefix(f"{house.ROOT}/"))
    return name.removeprefix("build/fuzz/")


def read_lcov(text):
    """{source: {line: how often it ran}}"""
    lines, current = {}, None
    for row in text.splitlines():
        if row.startswith("SF:"):
            current = lines.setdefault(relative(row[3:]), {})
        elif row.startswith("DA:"):
            number, count = row[3:].split(",")[:2]
            current[int(number)] = max(current.get(int(number), 0), int(count))
    return lines


def mangled(name):
    """A pattern of the mangled names of a function: of `Class::name`, or of `name` wherever it is."""
    begin = "(?:(?<![0-9])|(?<=_GLOBAL__N_1))"  # the unnamed namespace ends with a digit
    return re.compile(begin + "".join(f"{len(part)}{part}" for part in name.split("::")))


def read_functions(text):
    """{source: [(mangled name, first line, last line)]}"""
    functions = {}
    for function in json.loads(text)["data"][0]["functions"]:
        first = function["regions"][0]
        functions.setdefault(relative(function["filenames"][0]), []).append((function["name"], first[0], first[2]))
    return functions


def lines_of(source, names, functions):
    """The lines of the named functions of a source."""
    chosen = set()
    for name in names:
        extents = [(a, b) for mangled_name, a, b in functions.get(source, []) if mangled(name).search(mangled_name)]
        if not extents:
            raise Unreached(f"{source} has no function {name}")
        for first, last in extents:
            chosen |= set(range(first, last + 1))
    return chosen


def measure(target, path, table, folder):
    """[(source, lines reached, lines, numbers of the others)] of the decoders of a target."""
    indexed = profile(target, path, folder)
    lines = read_lcov(exported(path, indexed, "lcov"))
    by_function = any(names != "all" for names in table.values())
    functions = read_functions(exported(path, indexed, "text")) if by_function else {}
    rows = []
    for source, names in table.items():
        if source not in lines:
            raise Unreached(f"{source} is not in the program")
        wanted = lines[source]
        if isinstance(names, dict):
            others = lines_of(source, names["without"], functions)
            wanted = {n: count for n, count in wanted.items() if n not in others}
        elif names != "all":
            chosen = lines_of(source, names, functions)
            wanted = {n: count for n, count in wanted.items() if n in chosen}
        missed = sorted(n for n, count in wanted.items() if count == 0)
        rows.append((source, len(wanted) - len(missed), len(wanted), missed))
    return rows


def coverage_problem(target, path, say=lambda row: None):
    """'' if the committed inputs of a target reach enough of each of its decoders."""
    table = decoders().get(target)
    if table is None:
        return f"{DECODERS.relative_to(house.ROOT)} does not say which decoders it is there for"
    if "decodes_nothing" in table:
        return ""
    low = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for source, reached, of, missed in measure(target, path, table, Path(folder)):
                say(f"{target:24} {source:52} {reached:5} of {of:5} lines {100 * reached / of:6.1f} %")
                if reached < LEAST_REACHED * of:
                    low.append(f"{source}: {100 * reached / of:.1f} % of its lines; not {ranges(missed)}")
        except Unreached as problem:
            return str(problem)
    return "\n".join(low)


def ranges(numbers):
    """[1, 2, 3, 7] as '1-3, 7'"""
    runs = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def coverage(wanted):
    problems = 0
    for target, path in wanted.items():
        if is_bound_canary(target):
            continue
        problem = coverage_problem(target, path, say=lambda row: print(row, flush=True))
        if problem:
            problems += 1
            print(f"FAILED {target}: {problem}", flush=True)
    return problems


# ---- the rest

def minimise(target, path):
    """Adds to tests/corpus the fewest of the inputs that were found that reach what nothing there reaches."""
    committed = TESTS / "corpus" / target
    committed.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "kept"
        kept.mkdir()
        for known in committed_inputs(target):
            shutil.copytree(known, kept, dirs_exist_ok=True)
        before = {f.name for f in kept.iterdir()}
        # Edges alone: how often each is taken would keep ten times as many files.
        code, output = run(path, [f"-artifact_prefix={folder}/", "-merge=1", "-use_counters=0", str(kept),
                                  str(BUILD / "corpus" / target)], 600)
        if code != 0:
            print(output[-4000:])
            return 1
        for found in kept.iterdir():
            if found.name not in before:
                shutil.copy(found, committed)
    files = list(committed.iterdir())
    print(f"{committed.relative_to(house.ROOT)}: {len(files)} files, {sum(f.stat().st_size for f in files)} bytes")
    return 0


def fuzz(wanted, seconds):
    problems = 0
    for target, path in wanted.items():
        print(f"fuzz: {target} for {seconds} s", flush=True)
        problem = run_target(target, path, seconds, quiet=False)
        if problem:
            problems += 1
            print(f"FAILED {target}: {problem}")
    return problems


USAGE = "[TARGET] [SECONDS], [TARGET] --minutes N, [TARGET] --canaries, [TARGET] --coverage or TARGET --minimise"


def read_arguments(words):
    """(what to do, names of targets, seconds of each, minutes of all)"""
    verb, seconds, minutes = "fuzz", DEFAULT_SECONDS, None
    if words and words[-1] in ("--canaries", "--coverage", "--minimise"):
        verb, words = words[-1][2:], words[:-1]
    elif len(words) > 1 and words[-2] == "--minutes" and words[-1].isdigit():
        minutes, words = int(words[-1]), words[:-2]
    elif words and words[-1].isdigit():
        seconds, words = int(words[-1]), words[:-1]
    if any(word.startswith("-") for word in words) or (verb == "minimise" and not words):
        raise SystemExit(f"fuzz: want {USAGE}")
    return verb, words, seconds, minutes


def main():
    verb, names, seconds, minutes = read_arguments(sys.argv[1:])
    house.configure("fuzz")
    known = registered()
    wanted = {t: p for t, p in known.items() if not names or any(n in t for n in names)}
    if not wanted:
        raise SystemExit(f"no fuzz target matches {' '.join(names) or 'anything'}; there is: {' '.join(known) or 'none'}")
    if minutes is not None:
        seconds = max(SHORT_SECONDS, minutes * 60 // len(wanted))
    prepare(wanted)
    if verb == "fuzz":
        failed = fuzz(wanted, seconds)
    elif verb == "minimise":
        failed = sum(minimise(t, p) for t, p in wanted.items())
    else:
        failed = {"canaries": canaries, "coverage": coverage}[verb](wanted)
    print(f"{len(wanted) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
