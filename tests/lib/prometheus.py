"""Prometheus' text format 0.0.4, read strictly: what a lenient scraper would forgive is an AssertionError.

Shares nothing with the C++ that it is held against.
"""
import http.client
import math
import re

_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| (\w+) \| ", re.M)


def get(port, path, headers=None, method="GET"):
    """Status, headers and text of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def rows(page):
    """Of docs/metrics.md: name, kind, labels, who knows it."""
    return [(name, kind, re.findall(r"`(\w+)`", labels), where) for name, kind, labels, where in _ROW.findall(page)]


_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"^({_NAME})(?:\{{(.*)\}})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
_ESCAPES = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}


class Family:
    """A metric: its kind, its help, and its samples in order as (name, labels, value)."""

    def __init__(self, name, text):
        self.name, self.help, self.kind, self.samples = name, text, None, []

    def value(self, **labels):
        """Of the sample with exactly these labels."""
        found = [value for _, own, value in self.samples if own == labels]
        if len(found) != 1:
            raise AssertionError(f"{self.name}{labels}: {len(found)} samples; there are {[s[1] for s in self.samples]}")
        return found[0]

    def total(self, **labels):
        """The sum over the samples that have these labels and perhaps others."""
        return sum(value for _, own, value in self.samples if labels.items() <= own.items())


def _labels(text, line):
    labels, at = {}, 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if not match:
            raise AssertionError(f"malformed labels: {line!r}")
        if match[1] in labels:
            raise AssertionError(f"a label comes twice: {line!r}")
        labels[match[1]] = re.sub(r'\\[\\n"]', lambda m: _ESCAPES[m[0]], match[2])
        at = match.end()
        if at == len(text) and text.endswith(","):
            raise AssertionError(f"a comma too many: {line!r}")
    return labels


def _number(text, line):
    if text in ("+Inf", "-Inf", "NaN"):
        return float(text)
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", text):
        raise AssertionError(f"malformed number: {line!r}")
    return float(text)


def _check_histogram(family):
    series = {}
    for name, labels, value in family.samples:
        own = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        one = series.setdefault(own, {"le": [], "sum": None, "count": None})
        if name == f"{family.name}_bucket":
            one["le"].append((_number(labels["le"], name), value))
        else:
            one[name.rsplit("_", 1)[1]] = value
    for own, one in series.items():
        bounds, counts = [b for b, _ in one["le"]], [c for _, c in one["le"]]
        where = f"{family.name}{own}"
        if bounds != sorted(set(bounds)) or not bounds or bounds[-1] != math.inf:
            raise AssertionError(f"{where}: bounds {bounds}")
        if counts != sorted(counts) or counts[-1] != one["count"] or one["sum"] is None or one["sum"] < 0:
            raise AssertionError(f"{where}: counts {counts}, count {one['count']}, sum {one['sum']}")
        if one["count"] == 0 and one["sum"] != 0:
            raise AssertionError(f"{where}: nothing counted, sum {one['sum']}")


def parse(text):
    """Family by name, in order. AssertionError for anything that is not exactly the format."""
    if not text.endswith("\n") or "\r" in text or "\n\n" in text:
        raise AssertionError("lines end in LF, none is empty, the last is no exception")
    families, current, seen = {}, None, set()
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            _, _, name, told = line.split(" ", 3)
            if not re.fullmatch(_NAME, name) or name in families:
                raise AssertionError(f"a name that is none or comes twice: {line!r}")
            current = families[name] = Family(name, told)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if current is None or name != current.name or current.kind or current.samples:
                raise AssertionError(f"TYPE comes after HELP and before samples: {line!r}")
            if kind not in ("counter", "gauge", "histogram"):
                raise AssertionError(f"an unknown type: {line!r}")
            current.kind = kind
        else:
            match = _SAMPLE.match(line)
            if not match or current is None or not current.kind:
                raise AssertionError(f"malformed, or outside of a family: {line!r}")
            name, labels = match[1], _labels(match[2] or "", line)
            suffixes = ("_bucket", "_sum", "_count") if current.kind == "histogram" else ("",)
            if name not in [current.name + suffix for suffix in suffixes] or ("le" in labels) != name.endswith("_bucket"):
                raise AssertionError(f"no sample of {current.name}: {line!r}")
            if (name, tuple(sorted(labels.items()))) in seen:
                raise AssertionError(f"a series comes twice: {line!r}")
            seen.add((name, tuple(sorted(labels.items()))))
            current.samples.append((name, labels, _number(match[3], line)))
    for family in families.values():
        if family.kind == "counter" and (not family.name.endswith("_total") or any(v < 0 for _, _, v in family.samples)):
            raise AssertionError(f"{family.name}: no counter")
        if family.kind == "histogram":
            _check_histogram(family)
        if family.kind is None:
            raise AssertionError(f"{family.name}: no TYPE")
    return families
