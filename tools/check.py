#!/usr/bin/env python3
"""The checks that need no test run: `./run check` calls it. usage: check.py [--all]

    tidy     the layer table, banned includes and calls (tools/tidy.py)
    format   clang-format-19 on every source
    headers  every header compiles alone, include/weir/ as C++20
    lint     clang-tidy-19 on the sources touched by the last commits or not committed; --all: on every one
    docs     links in *.md lead somewhere; every verb and preset that a page names exists, every verb is in README.md
    words    no path of a machine, no registry host, no open end in the tree

What was clean is remembered by content hash in .cache/check.json, so a run over an unchanged tree takes seconds.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time

import house

ROOT = house.ROOT
CACHE = ROOT / ".cache" / "check.json"
SOURCE_FOLDERS = ("src", "include", "tests", "examples", "bench")
LINT_COMMITS = 10  # how far back `lint` looks for touched files
WORDS = [  # pattern, why, files it does not concern
    (r"/work/(main|shared|w-\w+|steering)|\.\./shared|/[r]oot/|/home/\w+/", "a path of some machine", r"^$"),
    (r"registry\.npmjs|repo1?\.maven|proxy\.golang|pypi\.org/simple|deb\.debian\.org|crates\.io/api", "a registry host", r"^$"),
    (r"\b(TODO|FIXME|XXX|HACK)\b", "an open end: finish it or file an issue", r"^tools/check\.py$|\.md$"),
    (r"\b(GTEST_SKIP|DISABLED_)", "a test left out", r"^tools/|^docs/|^tests/README"),
    (r"\btime\.sleep\(|\bsleep_for\(|\busleep\(", "a sleep: poll a condition with a deadline", r"^tools/(check|tidy)\.py$|^docs/"),
]
BINARY = re.compile(r"\.(zst|gz|png|svg|bin|log|index|timeindex|snapshot|jsonl)$|(^|/)(corpus|golden)/")


def digest(*parts):
    h = hashlib.sha256()
    for part in parts:
        h.update(part if isinstance(part, bytes) else str(part).encode())
        h.update(b"\0")
    return h.hexdigest()[:24]


class Clean:
    """What was found clean before: key -> hash of all that the verdict depends on."""

    def __init__(self):
        self.known = json.loads(CACHE.read_text()) if CACHE.exists() else {}
        self.files = {}

    def file(self, path):
        if path not in self.files:
            full = ROOT / path
            self.files[path] = digest(full.read_bytes()) if full.is_file() else ""
        return self.files[path]

    def save(self):
        CACHE.parent.mkdir(exist_ok=True)
        CACHE.write_text(json.dumps(self.known, indent=0, sort_keys=True))


def tracked():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [f for f in sorted(set(out.stdout.splitlines())) if (ROOT / f).is_file()]


def is_source(path):
    return path.endswith((".h", ".cc")) and path.split("/")[0] in SOURCE_FOLDERS


def in_parallel(work, items):
    with concurrent.futures.ThreadPoolExecutor(house.JOBS) as pool:
        return [fault for faults in pool.map(work, items) for fault in faults]


def check_tidy(files, clean, everything):
    out = subprocess.run([sys.executable, "tools/tidy.py", "."], cwd=ROOT, capture_output=True, text=True)
    return [line for line in out.stdout.splitlines() if not line.startswith("note:")] if out.returncode else []


def check_format(files, clean, everything):
    style = clean.file(".clang-format")

    def one(path):
        key, state = f"format {path}", digest(style, clean.file(path))
        if clean.known.get(key) == state:
            return []
        done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", path], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return [f"{path}: not formatted; clang-format-19 -i {path}"]
        clean.known[key] = state
        return []

    return in_parallel(one, [f for f in files if is_source(f)])


def compile_commands():
    """How each source is compiled, also those that the dev preset compiles some at a time."""
    commands = []
    for entry in json.loads((ROOT / "build" / "dev" / "compile_commands.json").read_text()):
        file, inside = entry["file"], []
        if "/Unity/unity_" in file:
            inside = re.findall(r'^#include "(.+)"$', (ROOT / file).read_text(), re.M)
        commands += [{**entry, "file": one, "command": entry["command"].replace(file, one)} for one in inside or [file]]
    return commands


def prepare():
    """Configures the dev preset and makes its generated headers (targets ..._generated and ..._contracts), so that all can be read."""
    house.configure("dev")
    generated = re.findall(r"^build (\w+_(?:generated|contracts)): phony", (ROOT / "build" / "dev" / "build.ninja").read_text(), re.M)
    if generated:
        done = subprocess.run(["cmake", "--build", "--preset", "dev", "--target", *generated], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"generated sources cannot be made\n{done.stdout[-3000:]}")


def check_headers(files, clean, everything):
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wold-style-cast", "-Werror", "-Iinclude", "-Isrc"]
    folders = {word[2:] for entry in compile_commands() for word in entry["command"].split() if word.startswith(f"-I{ROOT}/build/")}
    flags += [f"-I{os.path.relpath(folder, ROOT)}" for folder in sorted(folders)]

    def one(path):
        key = f"header {path}"
        before = clean.known.get(key)
        if before and before["state"] == digest(*flags, *(clean.file(d) for d in before["deps"])):
            return []
        standard = "-std=c++20" if path.startswith("include/") else "-std=c++23"
        depfile = CACHE.parent / f"header-{digest(path)}.d"
        # The header is included by a line of standard input, so that #pragma once is no warning.
        command = ["g++", standard, *flags, "-fsyntax-only", "-MMD", "-MF", str(depfile), "-x", "c++", "-"]
        done = subprocess.run(command, cwd=ROOT, input=f'#include "{path}"\n', capture_output=True, text=True)
        if done.returncode:
            return [f"{path}: does not compile alone\n{done.stderr[:1500]}"]
        deps = [d for d in depfile.read_text().replace("\\\n", " ").split()[1:] if not d.startswith("/") and d != "-"]
        depfile.unlink()
        clean.known[key] = {"deps": deps, "state": digest(*flags, *(clean.file(d) for d in deps))}
        return []

    CACHE.parent.mkdir(exist_ok=True)
    return in_parallel(one, [f for f in files if is_source(f) and f.endswith(".h")])


def touched():
    """Files of the last commits, and what is not committed."""
    git = lambda *args: subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    since = git("rev-list", f"--max-count={LINT_COMMITS + 1}", "HEAD")
    base = since[-1] if len(since) > LINT_COMMITS else "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's empty tree
    return set(git("diff", "--name-only", base)) | set(git("ls-files", "-o", "--exclude-standard"))


def check_lint(files, clean, everything):
    commands = compile_commands()
    built = {os.path.relpath(entry["file"], ROOT) for entry in commands}
    (ROOT / "build" / "compile_commands.json").write_text(json.dumps(commands, indent=1))  # in build/, clangd finds it too
    recent = None if everything else touched()
    rules = digest(clean.file(".clang-tidy"))

    def one(path):
        key, state = f"lint {path}", digest(rules, clean.file(path))
        if clean.known.get(key) == state:
            return []
        command = ["clang-tidy-19", "-p", "build", "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                   "--extra-arg=-Wno-unused-command-line-argument", path]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return [f"{path}: clang-tidy\n{done.stdout[:3000] or done.stderr[:1500]}"]
        clean.known[key] = state
        return []

    return in_parallel(one, [f for f in files if f in built and not f.endswith("_test.cc") and (recent is None or f in recent)])


def anchors(text):
    heads = re.findall(r"^#+ +(.+?) *$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


def check_docs(files, clean, everything):
    verbs = set(re.findall(r"^    ([a-z]+)\)", (ROOT / "run").read_text(), re.M))
    presets = {p["name"] for p in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
    faults = []
    for path in (f for f in files if f.endswith(".md")):
        text = (ROOT / path).read_text()
        prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
        for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            full = (ROOT / path).parent / file if file else ROOT / path
            if not full.exists():
                faults.append(f"{path}: the link to {target} leads nowhere")
            elif anchor and full.suffix == ".md" and anchor not in anchors(full.read_text()):
                faults.append(f"{path}: {target} names no heading of that page")
        for verb in re.findall(r"\./run ([a-z]+)", text):
            if verb not in verbs:
                faults.append(f"{path}: ./run has no verb '{verb}'")
        for preset in re.findall(r"--preset ([a-z]+)", text):
            if preset not in presets:
                faults.append(f"{path}: there is no preset '{preset}'")
    readme = (ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else ""
    usage = subprocess.run(["./run"], cwd=ROOT, capture_output=True, text=True).stdout
    for verb in sorted(verbs):
        if f"./run {verb}" not in readme:
            faults.append(f"README.md: does not say what ./run {verb} does")
        if not re.search(rf"^  {verb}\b", usage, re.M):
            faults.append(f"run: its usage lacks the verb {verb}")
    return faults


def check_words(files, clean, everything):
    rules = digest(json.dumps(WORDS))
    faults = []
    for path in files:
        key, state = f"words {path}", digest(rules, clean.file(path))
        if BINARY.search(path) or clean.known.get(key) == state:
            continue
        found = []
        for n, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1):
            for pattern, why, elsewhere in WORDS:
                if re.search(pattern, line) and not re.search(elsewhere, path):
                    found.append(f"{path}:{n}: {why}: {line.strip()[:100]}")
        if not found:
            clean.known[key] = state
        faults += found
    return faults


CHECKS = [("tidy", check_tidy), ("format", check_format), ("headers", check_headers), ("docs", check_docs),
          ("words", check_words), ("lint", check_lint)]


def main():
    parser = argparse.ArgumentParser(prog="./run check")
    parser.add_argument("--all", action="store_true", help="every source through clang-tidy, and nothing believed clean")
    args = parser.parse_args()
    clean, files, total = Clean(), tracked(), 0
    if args.all:
        clean.known = {}
    prepare()
    for name, work in CHECKS:
        started = time.monotonic()
        faults = work(files, clean, args.all)
        total += len(faults)
        for fault in faults:
            print(fault)
        print(f"check: {name}: {len(faults)} faults, {time.monotonic() - started:.1f} s", flush=True)
        clean.save()
    print(f"check: {total} faults" if total else "check: clean")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
