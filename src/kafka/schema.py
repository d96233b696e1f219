"""The tables of schemas/ as objects: messages of structs of fields, each with the versions that have it."""
import re

# In the dump of records, but not records: header.h and the SASL messages have them.
NOT_RECORDS = {"RequestHeaderData", "ResponseHeaderData", "SaslAuthenticateRequestData", "SaslAuthenticateResponseData"}

# dump type -> (C++ type, name of the wire call if it is not integer<type>, bytes)
SCALARS = {
    "boolean": ("bool", "boolean", 1), "float64": ("double", "float64", 8), "uuid": ("Uuid", "uuid", 16),
    "int8": ("std::int8_t", None, 1), "int16": ("std::int16_t", None, 2), "int32": ("std::int32_t", None, 4),
    "int64": ("std::int64_t", None, 8), "uint16": ("std::uint16_t", None, 2), "uint32": ("std::uint32_t", None, 4),
}
# dump type -> (C++ type, bytes of its length in versions that are not flexible)
RUNS = {"string": ("std::string_view", 2), "bytes": ("std::string_view", 4), "records": ("Records", 4)}


def snake(name):
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


class Parser:
    """One line of a dump: `name:type name:type tags(0=name:type)`."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def skip(self, token):
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def expect(self, token):
        if not self.skip(token):
            raise SystemExit(f"{token!r} expected at {self.at} of {self.text}")

    def word(self):
        match = re.compile(r"\w+").match(self.text, self.at)
        self.at = match.end()
        return match.group()

    def type(self):
        """{kind, nullable, compact, element | fields | name}"""
        nullable = self.skip("?")
        for opening, compact in (("c[", True), ("[", False)):
            if self.skip(opening):
                element = self.type()
                self.expect("]")
                return dict(kind="array", nullable=nullable, compact=compact, element=element)
        if self.skip("{"):
            fields = self.fields("}")
            self.expect("}")
            return dict(kind="struct", nullable=nullable, fields=fields)
        word = self.word()
        compact = word.startswith("compact_")
        word = word.removeprefix("compact_")
        nullable = nullable or word.startswith("nullable_")
        word = word.removeprefix("nullable_")
        if word not in SCALARS and word not in RUNS:
            raise SystemExit(f"unknown type {word} in {self.text}")
        return dict(kind="run" if word in RUNS else "scalar", nullable=nullable, compact=compact, name=word)

    def fields(self, end=None):
        """[(name, tag or None, type)]; the flexible marker is `tags()`, kept as ("tags", ...)."""
        out, flexible = [], False
        while self.at < len(self.text) and self.text[self.at] != end:
            if self.skip(" "):
                continue
            if self.skip("tags("):
                flexible = True
                while not self.skip(")"):
                    tag = int(self.word())
                    self.expect("=")
                    name = self.word()
                    self.expect(":")
                    out.append((name, tag, self.type()))
                    self.skip(", ")
            else:
                name = self.word()
                self.expect(":")
                out.append((name, None, self.type()))
        return dict(flexible=flexible, fields=out)


class Field:
    def __init__(self, name, path):
        self.name, self.path = name, path
        self.versions, self.nullable, self.tags = set(), set(), {}
        self.kind = self.scalar = self.element = self.struct = None
        self.default = self.json = None


class Struct:
    def __init__(self, name):
        self.name, self.fields, self.versions, self.flexible = name, [], set(), set()
        self.needs_equality = False

    def field(self, name, after, path):
        for f in self.fields:
            if f.name == name:
                return f
        new = Field(name, path)
        self.fields.insert(self.fields.index(after) + 1 if after else 0, new)
        return new


class Message:
    def __init__(self, name, notes):
        self.name, self.notes = name, notes
        self.versions, self.structs = [], {}  # structs in order of definition, inner ones first
        self.root = Struct(name)
        self.api_key = self.record_type = None

    def note(self, path, sign):
        return self.notes.get(self.name, {}).get((path, sign))

    def add(self, versions, parsed):
        self.versions.extend(versions)
        for version in versions:
            self.merge(self.root, version, parsed, "", self.root.name)

    def merge(self, struct, version, parsed, path, where):
        struct.versions.add(version)
        if parsed["flexible"]:
            struct.flexible.add(version)
        previous, names = None, []
        for name, tag, type_ in parsed["fields"]:
            f = struct.field(name, previous, path + name)
            f.versions.add(version)
            if tag is not None:
                f.tags[version] = tag
            else:
                previous = f
            names.append(name)
            self.merge_type(f, version, type_)
            f.default = self.note(f.path, "=") or f.default
            f.json = self.note(f.path, "json") or camel(name)
        order = [f.name for f in struct.fields if f.name in names and version not in f.tags]
        if order != [n for n, t, _ in parsed["fields"] if t is None]:
            raise SystemExit(f"{where}: the order of fields differs between versions")

    def merge_type(self, f, version, type_):
        if type_["nullable"]:
            f.nullable.add(version)
        inner = type_["element"] if type_["kind"] == "array" else type_
        kind = ("array of " if type_["kind"] == "array" else "") + inner["kind"] + inner.get("name", "")
        if f.kind not in (None, kind):
            raise SystemExit(f"{self.name}.{f.path}: {f.kind} and {kind}")
        f.kind, f.scalar = kind, inner.get("name")
        f.is_array = type_["kind"] == "array"
        if f.is_array and inner["nullable"]:
            raise SystemExit(f"{self.name}.{f.path}: nullable elements are not supported")
        if inner["kind"] == "struct":
            name = self.note(f.path, "struct")
            if not name:
                raise SystemExit(f"{self.name}.{f.path}: no struct name in names-and-defaults.txt")
            f.struct = self.structs.get(name) or Struct(name)
            self.merge(f.struct, version, inner["fields"], f.path + ".", f"{self.name}.{f.path}")
            self.structs.setdefault(name, f.struct)

    def finish(self):
        self.sort_structs()
        self.min, self.max = min(self.versions), max(self.versions)
        self.flexible_from = min(self.root.flexible, default=None)
        for s in self.all_structs():
            expected = {v for v in s.versions if self.flexible_from is not None and v >= self.flexible_from}
            if s.flexible != expected:
                raise SystemExit(f"{self.name}.{s.name}: flexible in part")
        for s in self.all_structs():
            for f in s.fields:
                if f.struct and f.tags and not f.is_array:
                    mark_equality(f.struct)

    def all_structs(self):
        return [*self.structs.values(), self.root]

    def sort_structs(self):
        """Inner structs first, whichever version brought them."""
        ordered = {}

        def place(struct):
            for f in struct.fields:
                if f.struct and f.struct.name not in ordered:
                    place(f.struct)
            if struct is not self.root:
                ordered[struct.name] = struct

        place(self.root)
        self.structs = ordered

    def cpp(self, struct):
        return self.name if struct is self.root else f"{self.name}::{struct.name}"


def mark_equality(struct):
    struct.needs_equality = True
    for f in struct.fields:
        if f.struct:
            mark_equality(f.struct)


def read_notes(path):
    notes, current = {}, None
    for line in path.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith(" "):
            current = notes.setdefault(line.strip(), {})
            continue
        words = line.split()
        if len(words) == 3:
            current[(words[0], words[1])] = words[2]
        else:
            current[(words[0], "struct")] = words[1]
    return notes


def read_messages(path, notes):
    apis, messages = [], {}
    for line in path.read_text().splitlines():
        if line.startswith("errors"):
            break
        head = re.match(r"api (\d+) (\w+) versions (\d+)-(-?\d+) stable-to (-?\d+) headers\(request/response\) ?(.*)$", line)
        if head:
            key, name, low, high, stable, headers = head.groups()
            versions = dict(re.findall(r"(\d+):(\d)/\d", headers))
            flexible = min((int(v) for v, h in versions.items() if h == "2"), default=None)
            apis.append(dict(key=int(key), name=name, min=int(low), max=int(high), stable=int(stable), flexible=flexible))
            continue
        kind, low, high, body = re.match(r"  (request|response) v(\d+)(?:-(\d+))?: ?(.*)$", line).groups()
        m = messages.setdefault((apis[-1]["key"], kind), Message(apis[-1]["name"] + kind.capitalize(), notes))
        m.api_key = apis[-1]["key"]
        m.add(range(int(low), int(high or low) + 1), Parser(body).fields())
    for m in messages.values():
        m.finish()
    for api in apis:
        for kind in ("request", "response"):
            m = messages.get((api["key"], kind))
            if m and (m.min, m.max, m.flexible_from) != (api["min"], api["max"], api["flexible"]):
                raise SystemExit(f"{m.name}: versions differ from the API's")
    return apis, messages


def read_records(path, notes):
    records, current = [], None
    for line in path.read_text().splitlines():
        head = re.match(r"(\w+) versions \d+-\d+ api-key (-?\d+)", line)
        if head:
            current = Message(head.group(1), notes)
            if head.group(1).endswith(("Key", "Value")):
                current.record_type = int(head.group(2))
            records.append(current)
            continue
        low, high, body = re.match(r"  v(\d+)(?:-(\d+))?: ?(.*)$", line).groups()
        current.add(range(int(low), int(high or low) + 1), Parser(body).fields())
    records = [r for r in records if r.name not in NOT_RECORDS]
    for r in records:
        r.finish()
    return records
