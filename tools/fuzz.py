#!/usr/bin/env python3
"""Fuzzes the decoders: fuzz.py [TARGET] [SECONDS] or fuzz.py [TARGET] --minutes N; `./run fuzz` calls it.

SECONDS are of each target (60), minutes of all of them together.

Each target starts from its committed corpus tests/corpus/TARGET/, where there is one, and keeps what it finds in
build/fuzz/corpus/TARGET/. An input that fails is left in build/fuzz/findings/ and named. A target with `canary` in its
name holds a planted fault and must be found: it shows that the machinery would tell.
"""
import os
import sys

import house

SHORT_SECONDS = 4
DEFAULT_SECONDS = 60


def run_target(target, path, seconds, quiet):
    """Fuzzes one target; '' if all is well, else what is wrong with its output."""
    corpus = house.ROOT / "build" / "fuzz" / "corpus" / target
    findings = house.ROOT / "build" / "fuzz" / "findings"
    seeds = house.ROOT / "tests" / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    command = [path, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
               f"-artifact_prefix={findings}/{target}-", str(corpus)]
    if seeds.is_dir():
        command.append(str(seeds))
    code, output = house.run(command, seconds + 120, dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1"))
    if not quiet:
        print(output[-2000:])
    if "canary" in target:
        return "" if code not in (0, None) else f"the planted fault was not found in {seconds} s\n{output[-2000:]}"
    return "" if code == 0 else f"exit code {code}\n{output[-8000:]}"


def main():
    names, seconds, minutes = sys.argv[1:], DEFAULT_SECONDS, None
    if len(names) > 1 and names[-2] == "--minutes" and names[-1].isdigit():
        minutes, names = int(names[-1]), names[:-2]
    elif names and names[-1].isdigit():
        seconds = int(names.pop())
    if any(name.startswith("-") for name in names):
        raise SystemExit(f"fuzz: {' '.join(names)}: want [TARGET] [SECONDS] or [TARGET] --minutes N")
    house.configure("fuzz")
    registered = house.programs("fuzz", "fuzz")
    wanted = {t: p for t, p in registered.items() if not names or any(n in t for n in names)}
    if not wanted:
        raise SystemExit(f"no fuzz target matches {' '.join(names) or 'anything'}; there is: {' '.join(registered) or 'none'}")
    if minutes is not None:
        seconds = max(SHORT_SECONDS, minutes * 60 // len(wanted))
    house.build("fuzz", wanted)
    failed = 0
    for target, path in wanted.items():
        print(f"fuzz: {target} for {seconds} s", flush=True)
        problem = run_target(target, path, seconds, quiet=False)
        if problem:
            failed += 1
            print(f"FAILED {target}: {problem}")
    print(f"{len(wanted) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
