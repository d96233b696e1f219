"""Rows of weir against a peer: as a table, and as bench/results/NAME.json.

A file holds {"machine", "versions", "settings", "date", "rows"}; a row {"bench", "case", "metric", "unit", "weir", "peer",
"peer_value", "ratio", "better"} with ratio = weir / peer_value and better `higher` or `lower`.
"""
import argparse
import datetime
import json
import os
import statistics
import subprocess
from pathlib import Path

from common import ROOT, brokers, machine

RESULTS = ROOT / "bench" / "results"
METRICS = {  # name -> unit, which way is better
    "cpu_s_per_million": ("s", "lower"),
    "cpu_ns_per_record": ("ns", "lower"),
    "cpu_s_per_gb": ("s", "lower"),
    "records_per_s": ("1/s", "higher"),
    "p99_us": ("us", "lower"),
    "start_ms": ("ms", "lower"),
    "rss_mib": ("MiB", "lower"),
}
FILE_KEYS = ("machine", "versions", "settings", "date", "rows")
ROW_KEYS = ("bench", "case", "metric", "unit", "weir", "peer", "peer_value", "ratio", "better")


def rounded(value):
    """Four significant digits: more would be noise."""
    return float(f"{value:.4g}")


def row(bench, case, metric, weir, peer, peer_value):
    unit, better = METRICS[metric]
    return {"bench": bench, "case": case, "metric": metric, "unit": unit, "weir": rounded(weir), "peer": peer,
            "peer_value": rounded(peer_value), "ratio": rounded(weir / peer_value), "better": better}


def faults(name, content):
    """What is wrong with the content of a results file; an empty list if it has the shape."""
    found = [f"{key}: missing" for key in FILE_KEYS if not content.get(key)]
    found += [f"{key}: not known" for key in content if key not in FILE_KEYS]
    for number, r in enumerate(content.get("rows") or []):
        where = f"row {number}"
        if tuple(r) != ROW_KEYS:
            found.append(f"{where}: has {', '.join(r)}; want {', '.join(ROW_KEYS)}")
            continue
        unit_and_better = METRICS.get(r["metric"])
        if unit_and_better != (r["unit"], r["better"]):
            found.append(f"{where}: {r['metric']} in {r['unit']}, better {r['better']}: want {unit_and_better}")
        if not all(isinstance(r[key], (int, float)) and r[key] > 0 for key in ("weir", "peer_value", "ratio")):
            found.append(f"{where}: weir, peer_value and ratio must be numbers above 0")
        elif abs(r["ratio"] - r["weir"] / r["peer_value"]) > 0.005 * r["ratio"]:
            found.append(f"{where}: ratio {r['ratio']} is not {r['weir']} / {r['peer_value']}")
        if not (r["case"] and r["peer"]) or r["bench"] != name:
            found.append(f"{where}: case, peer or bench is wrong")
        if name == "broker" and not r["case"].startswith(("produce", "consume")):
            found.append(f"{where}: case '{r['case']}' begins neither with produce nor with consume")
    return found


def number(value):
    """For people: three digits, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(header, rows):
    """Lines of an aligned table; the first column to the left, the others to the right."""
    cells = [[str(c) for c in line] for line in [header, *rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))).rstrip()
             for line in cells]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


def print_rows(rows):
    print(table(("case", "metric", "weir", "peer", "ratio", "better", "peer is"),
                [(r["case"], f"{r['metric']}", number(r["weir"]), number(r["peer_value"]), f"{r['ratio']:.3g}", r["better"],
                  r["peer"]) for r in rows]))


def write(name, machine, versions, settings, rows, folder=None):
    """Writes NAME.json; the run has failed if its own content has not the shape."""
    content = {"machine": machine, "versions": versions, "settings": settings,
               "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(), "rows": rows}
    wrong = faults(name, content)
    if wrong:
        raise SystemExit(f"results of {name}: " + "; ".join(wrong))
    path = (folder or RESULTS) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def median(values):
    return statistics.median(values)


def add_arguments(parser):
    """What every benchmark with results takes."""
    parser.add_argument("--out", help="folder of the results file (bench/results; build/bench-results for short runs)")
    parser.add_argument("--note", help="what a reader of the results must know of this run")
    parser.add_argument("--preset", default="release", help=argparse.SUPPRESS)


def finish(name, arguments, settings, rows, short):
    """Writes the results of a run; those of a short one do not replace the real ones unless --out says so."""
    folder = Path(arguments.out) if arguments.out else ROOT / "build" / "bench-results" if short else RESULTS
    if arguments.note:
        settings = {"note": arguments.note, **settings}
    path = write(name, machine.description(), versions(), settings, rows, folder)
    print(f"\nresults: {os.path.relpath(path, ROOT)}")
    return path


def keep_others(name, cases, rows, observed):
    """Rows and observations of the results file of `name`, those with `cases` in their names as they are given; and what the
    settings say of that."""
    before = json.loads((RESULTS / f"{name}.json").read_text())
    others = {case: found for case, found in before["settings"]["observed"].items() if cases not in case}
    note = {"cases of this run": cases, "commit of the others": before["versions"]["commit"]}
    return [row for row in before["rows"] if cases not in row["case"]] + rows, {**others, **observed}, note


def versions():
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.split("\n", 1)[0].strip()
    said = subprocess.run([brokers.program("weir"), "--version"], capture_output=True, text=True).stdout.split("\n")
    return {"weir": " ".join(dict(zip(said[0].split(), said[1].split())).get(k, "?") for k in ("VERSION", "BUILD")),
            "commit": commit or "unknown", "kafka": "4.3.1", "java": java}
