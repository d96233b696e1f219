#!/usr/bin/env python3
"""Generates the C++ structs of Kafka's messages and records from the tables in schemas/.

usage: generate.py SCHEMAS OUT
       generate.py SCHEMAS --headers     only names the headers, for CMake

Writes headers to OUT/kafka/messages and OUT/kafka/records, OUT/kafka/api_table.inc, and the sources that
CMakeLists.txt names; a file whose text did not change keeps its time.
"""
import re
import sys
from pathlib import Path

GROUPS = 6  # sources of each kind, so that a build spreads over processors
# In the dump of records, but not records: header.h and the SASL messages have them.
NOT_RECORDS = {"RequestHeaderData", "ResponseHeaderData", "SaslAuthenticateRequestData", "SaslAuthenticateResponseData"}

# dump type -> (C++ type, name of the wire call, least bytes old, least bytes flexible)
SCALARS = {
    "boolean": ("bool", "boolean", 1), "float64": ("double", "float64", 8), "uuid": ("Uuid", "uuid", 16),
    "int8": ("std::int8_t", None, 1), "int16": ("std::int16_t", None, 2), "int32": ("std::int32_t", None, 4),
    "int64": ("std::int64_t", None, 8), "uint16": ("std::uint16_t", None, 2), "uint32": ("std::uint32_t", None, 4),
}
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


def spans(versions, universe):
    """The versions as runs of neighbours within the sorted universe."""
    runs = []
    for v in sorted(universe):
        if v not in versions:
            runs.append(None)
        elif runs and runs[-1]:
            runs[-1][1] = v
        else:
            runs.append([v, v])
    return [r for r in runs if r]


def condition(versions, universe):
    """A C++ condition on `v`, the version; '' where it always holds, 'false' where never."""
    versions = versions & universe
    if versions == universe:
        return ""
    if not versions:
        return "false"
    parts = []
    for low, high in spans(versions, universe):
        if low == min(universe):
            parts.append(f"v <= {high}")
        elif high == max(universe):
            parts.append(f"v >= {low}")
        elif low == high:
            parts.append(f"v == {low}")
        else:
            parts.append(f"(v >= {low} && v <= {high})")
    return " || ".join(parts)


def guarded(cond, lines):
    if not cond:
        return lines
    return [f"if ({cond}) {{", *("  " + line for line in lines), "}"]


def cpp_type(f):
    if f.struct:
        base = f.struct.name
    else:
        base = (SCALARS.get(f.scalar) or RUNS[f.scalar])[0]
    if f.is_array:
        base = f"std::vector<{base}>"
    if f.nullable and base != "Records":
        base = f"std::optional<{base}>"
    return base


def cpp_default(f):
    """The initialiser of the member, '' for none."""
    null = f.default == "null"
    if f.scalar == "records" or (f.nullable and null):
        return ""
    if f.nullable:
        return " = " + cpp_type(f).removeprefix("std::optional<")[:-1] + "{}"
    if f.struct or f.is_array or f.scalar == "uuid" or f.scalar in RUNS:
        if f.default not in (None, "null"):
            raise SystemExit(f"{f.path}: default {f.default}")
        return ""
    return " = " + scalar_default(f)


def scalar_default(f):
    if f.scalar == "boolean":
        return f.default or "false"
    value = int(f.default or "0", 0)
    if f.scalar == "int32" and value == -(1 << 31):
        return "INT32_MIN"
    if f.scalar == "int32" and value == (1 << 31) - 1:
        return "INT32_MAX"
    if f.scalar == "int64" and value == (1 << 63) - 1:
        return "INT64_MAX"
    return str(value)


def least_bytes(f, flexible):
    """A lower bound of the bytes of one element (or one value) of this field's type."""
    if f.struct:
        sizes = []
        for v in f.struct.versions:
            if (v in f.struct.flexible) != flexible:
                continue
            size = 1 if flexible else 0
            for g in f.struct.fields:
                if v in g.versions and v not in g.tags:
                    size += value_bytes(g, flexible, v)
            sizes.append(size)
        return max(1, min(sizes, default=1))
    if f.scalar in SCALARS:
        return SCALARS[f.scalar][2]
    return 1 if flexible else RUNS[f.scalar][1]


def value_bytes(f, flexible, version):
    if f.is_array:
        return 1 if flexible else 4
    if f.struct:
        return 1 if version in f.nullable else least_bytes(f, flexible)
    return least_bytes(f, flexible)


def non_default(f, owner="", message=""):
    """A C++ condition: the tagged field must be written."""
    n = owner + f.name
    if f.nullable and f.default == "null":
        return f"{n}.has_value()"
    if f.is_array or f.scalar in ("string", "bytes"):
        return f"(!{n} || !{n}->empty())" if f.nullable else f"!{n}.empty()"
    if f.struct:
        fresh = f"{message + '::' if message else ''}{f.struct.name}{{}}"
        return f"(!{n} || !(*{n} == {fresh}))" if f.nullable else f"!({n} == {fresh})"
    if f.scalar == "uuid":
        return f"!{n}.is_zero()"
    if f.scalar == "boolean":
        return f"!{n}" if f.default == "true" else n
    return f"{n} != {scalar_default(f)}"


class Bodies:
    """The decode and encode functions of one struct."""

    def __init__(self, message, struct):
        self.m, self.s = message, struct
        if not struct.flexible:
            self.flexible = "false"
        elif struct.flexible == struct.versions:
            self.flexible = "true"
        else:
            self.flexible = "flexible"

    def null_condition(self, f):
        return condition(f.nullable, f.versions) or "true" if f.nullable else "false"

    def decode_value(self, f, flexible, owner=""):
        n, quoted = f.name, f'"{f.name}"'
        nullable = self.null_condition(f)
        if f.is_array:
            return self.decode_array(f, flexible, nullable)
        if f.struct:
            if not f.nullable:
                return [f"{n}.decode(d, v);"]
            if nullable != "true":
                raise SystemExit(f"{f.path}: a struct that is nullable in part")
            # Not emplace(): inside its message a struct does not count as constructible yet, for clang.
            return [f"if (d.struct_follows({quoted})) {{", f"  {n} = {f.struct.name}();",
                    f"  {n}->decode(d, v);", "} else {",
                    f"  {n}.reset();", "}"]
        if f.scalar in SCALARS:
            cpp, call, _ = SCALARS[f.scalar]
            return [f"{n} = d.{call or f'integer<{cpp}>'}({quoted});"]
        if f.scalar == "records":
            return [f"{n} = d.records({flexible}, {nullable}, {quoted});"]
        if f.nullable:
            return [f"{n} = d.nullable_{f.scalar}({flexible}, {nullable}, {quoted});"]
        return [f"{n} = d.{f.scalar}({flexible}, {quoted});"]

    def decode_array(self, f, flexible, nullable):
        n, quoted = f.name, f'"{f.name}"'
        element = f.struct.name if f.struct else (SCALARS.get(f.scalar) or RUNS[f.scalar])[0]
        old, new = least_bytes(f, False), least_bytes(f, True)
        least = {"true": str(new), "false": str(old)}.get(flexible, f"flexible ? {new} : {old}" if old != new else str(new))
        call = f"d.array_count({flexible}, {nullable}, {least}, sizeof({element}), {quoted})"
        if f.struct:
            fill = ["{TARGET}.resize(static_cast<std::size_t>(n));", "for (auto& element : {LIST}) {", "  element.decode(d, v);", "  if (!d.ok()) return;", "}"]
        else:
            fill = [f"d.elements({{TARGET}}, n, {flexible}, {quoted});"]
        put = lambda target, each: [line.replace("{TARGET}", target).replace("{LIST}", each) for line in fill]
        head = f"if (const std::ptrdiff_t n = {call}; n < 0) {{"
        if f.nullable:
            return [head, f"  {n}.reset();", "} else {", *("  " + x for x in put(f"{n}.emplace()", f"*{n}")), "}"]
        return ["{", f"  const std::ptrdiff_t n = {call};", *("  " + x for x in put(n, n)), "}"]

    def encode_value(self, f, flexible):
        n, quoted = f.name, f'"{f.name}"'
        nullable = self.null_condition(f)
        if f.is_array:
            value = f"*{n}" if f.nullable else n
            if f.struct:
                body = [f"e.array_count({n}{'->' if f.nullable else '.'}size(), {flexible}, {quoted});",
                        f"for (const auto& element : {value}) element.encode(e, v);"]
            else:
                body = [f"e.elements({value}, {flexible}, {quoted});"]
            if f.nullable:
                return [f"if ({n}) {{", *("  " + x for x in body), "} else {",
                        f"  e.null_array({flexible}, {nullable}, {quoted});", "}"]
            return body
        if f.struct:
            if not f.nullable:
                return [f"{n}.encode(e, v);"]
            return [f"e.integer(static_cast<std::int8_t>({n} ? 1 : -1));", f"if ({n}) {n}->encode(e, v);"]
        if f.scalar in SCALARS:
            _, call, _ = SCALARS[f.scalar]
            return [f"e.{call or 'integer'}({n});"]
        if f.scalar == "records":
            return [f"e.records({n}, {flexible}, {nullable}, {quoted});"]
        if f.nullable:
            return [f"e.nullable_{f.scalar}({n}, {flexible}, {nullable}, {quoted});"]
        return [f"e.{f.scalar}({n}, {flexible}, {quoted});"]

    def plain(self):
        return [f for f in self.s.fields if f.versions - set(f.tags)]

    def tagged(self):
        return sorted((f for f in self.s.fields if f.tags), key=lambda f: tag_of(f))

    def body(self, value):
        lines = []
        for f in self.plain():
            cond = condition(f.versions - set(f.tags), self.s.versions)
            lines += guarded(cond, value(f, self.flexible))
        return lines

    def decode(self):
        lines = self.body(self.decode_value)
        if not self.s.flexible:
            return lines
        if not self.tagged():
            tags = ["d.tags(unknown_tags);"]
        else:
            tags = ["for (TagReader tags(d); tags.next();) {", "  switch (tags.tag()) {"]
            for f in self.tagged():
                tags.append(f"    case {tag_of(f)}:")
                cond = condition(set(f.tags), self.s.flexible)
                value = self.decode_value(f, "true")
                if cond:
                    value = guarded(cond, value)
                    value[-1] = "} else {"
                    value += ["  tags.keep(unknown_tags);", "}"]
                tags += ["      " + x for x in value] + ["      break;"]
            tags += ["    default:", "      tags.keep(unknown_tags);", "  }", "}"]
        return lines + (guarded("flexible", tags) if self.flexible == "flexible" else tags)

    def encode(self):
        lines = self.body(self.encode_value)
        if not self.s.flexible:
            return lines
        if not self.tagged():
            tags = ["e.tags(unknown_tags);"]
        else:
            tags = ["TagWriter tags(e, unknown_tags);"]
            for f in self.tagged():
                cond = condition(set(f.tags), self.s.flexible)
                cond = (f"({cond}) && " if "||" in cond else f"{cond} && ") if cond else ""
                tags += [f"if ({cond}{non_default(f)}) {{", f"  tags.begin({tag_of(f)});",
                         *("  " + x for x in self.encode_value(f, "true")), "  tags.end();", "}"]
            tags.append("tags.finish();")
        return lines + (guarded("flexible", tags) if self.flexible == "flexible" else tags)

    def to_json(self):
        lines = []
        for f in self.s.fields:
            plain, tagged = f.versions - set(f.tags), set(f.tags)
            if plain:
                lines += guarded(condition(plain, self.s.versions), self.json_value(f))
            if tagged:
                cond = condition(tagged, self.s.versions)
                cond = (f"({cond}) && " if "||" in cond else f"{cond} && ") if cond else ""
                lines += guarded(cond + non_default(f, "m.", self.m.name),
                                 self.json_value(f))
        return lines

    def json_value(self, f):
        n, key = f.name, f'"{f.json}"'
        if f.struct and f.is_array:
            value = f"*m.{n}" if f.nullable else f"m.{n}"
            body = ["json::Array list;", f"list.reserve(({value}).size());" if f.nullable else f"list.reserve({value}.size());",
                    f"for (const auto& element : {value}) list.push_back(to_json(element, v));",
                    f"o.set({key}, std::move(list));"]
            if f.nullable:
                return [f"if (m.{n}) {{", *("  " + x for x in body), "} else {", f"  o.set({key}, nullptr);", "}"]
            return ["{", *("  " + x for x in body), "}"]
        if f.struct:
            if f.nullable:
                return [f"o.set({key}, m.{n} ? to_json(*m.{n}, v) : json::Value(nullptr));"]
            return [f"o.set({key}, to_json(m.{n}, v));"]
        call = {"bytes": "put_bytes", "records": "put_records"}.get(f.scalar, "put")
        return [f"{call}(o, {key}, m.{n});"]


def tag_of(f):
    numbers = set(f.tags.values())
    if len(numbers) != 1:
        raise SystemExit(f"{f.path}: several tags {numbers}")
    return numbers.pop()


def field_comment(f, struct):
    """Which versions carry a field, as a trailing comment; '' if all do."""
    text = ""
    if f.versions != struct.versions:
        text = ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in spans(f.versions, struct.versions))
        text = ("version " if re.fullmatch(r"\d+", text) else "versions ") + text
    if f.nullable and f.nullable != f.versions:
        runs = spans(f.nullable, f.versions)
        text += (", " if text else "") + "null in " + ", ".join(f"{a}-{b}" if a != b else f"{a}" for a, b in runs)
    return f"  // {text}" if text else ""


def struct_text(message, struct, indent):
    pad = "  " * indent
    out = [f"{pad}struct {struct.name} {{"]
    if struct is message.root:
        m = message
        out.append(f'{pad}  static constexpr std::string_view message_name = "{m.name}";')
        if m.api_key is not None:
            out.append(f"{pad}  static constexpr std::int16_t api_key = {m.api_key};")
        if m.record_type is not None:
            out.append(f"{pad}  static constexpr std::int16_t record_type = {m.record_type};")
        out += [f"{pad}  static constexpr std::int16_t min_version = {m.min};",
                f"{pad}  static constexpr std::int16_t max_version = {m.max};",
                f"{pad}  static constexpr std::int16_t flexible_from = "
                f"{'never_flexible' if m.flexible_from is None else m.flexible_from};"]
        for inner in m.structs.values():
            out += ["", *struct_text(m, inner, indent + 1)]
        if struct.fields:
            out.append("")
    for f in struct.fields:
        out.append(f"{pad}  {cpp_type(f)} {f.name}{cpp_default(f)};{field_comment(f, struct)}")
    if struct.flexible:
        out.append(f"{pad}  TaggedFields unknown_tags;")
    out += ["", f"{pad}  void decode(Decoder& decoder, std::int16_t version);",
            f"{pad}  void encode(Encoder& encoder, std::int16_t version) const;"]
    if struct.needs_equality:
        out.append(f"{pad}  bool operator==(const {struct.name}&) const = default;")
    if struct is message.root:
        out += [f"{pad}  /// Keeps a made string alive as long as this message; moving it leaves the view valid.",
                f"{pad}  std::string_view keep(std::string text) {{ return kept.keep(std::move(text)); }}",
                f"{pad}  KeptStrings kept;"]
    out.append(f"{pad}}};")
    return out


def header_text(title, messages):
    out = [f"// {title}. Generated by src/kafka/generate.py: do not edit.",
           "// Views borrow from the decoded frame; fields that a version lacks keep their defaults.",
           "#pragma once", "", '#include "kafka/wire.h"', "", "namespace weir::kafka {", ""]
    for m in messages:
        out += struct_text(m, m.root, 0) + [""]
    return "\n".join(out + ["}  // namespace weir::kafka", ""])


def function(signature, lines, uses):
    """`uses` names (parameter, C++ name) pairs; an unused parameter gets no name."""
    body = "\n".join(lines)
    for name in uses:
        if not re.search(rf"\b{name}\b", body):
            signature = re.sub(rf" {name}([,)])", r"\1", signature)
    return [signature + " {", *("  " + x for x in lines), "}", ""]


def source_text(headers, messages):
    out = ["// Generated by src/kafka/generate.py: do not edit."]
    out += [f'#include "{h}"' for h in headers] + ["", "namespace weir::kafka {", ""]
    for m in messages:
        for s in m.all_structs():
            b = Bodies(m, s)
            for which, args, lines in (("decode", "(Decoder& d, std::int16_t v)", b.decode()),
                                       ("encode", "(Encoder& e, std::int16_t v) const", b.encode())):
                if any(re.search(r"\bflexible\b", x) for x in lines):
                    lines = [f"const bool flexible = v >= {m.flexible_from};", *lines]
                out += function(f"void {m.cpp(s)}::{which}{args}", lines, ("d", "e", "v"))
    return "\n".join(out + ["}  // namespace weir::kafka", ""])


def json_text(headers, messages):
    out = ["// Generated by src/kafka/generate.py: do not edit.", '#include "kafka/message_json_put.h"']
    out += [f'#include "{h}"' for h in headers] + ["", "namespace weir::kafka {", ""]
    for m in messages:
        for s in m.all_structs():
            where = "static " if s is not m.root else ""
            lines = ["json::Object o;", *Bodies(m, s).to_json(), "return json::Value(std::move(o));"]
            out += function(f"{where}json::Value to_json(const {m.cpp(s)}& m, std::int16_t v)", lines, ("m", "v"))
    return "\n".join(out + ["}  // namespace weir::kafka", ""])


def codec_table_text(messages, headers):
    """The tables of message_json.h, for callers that know a message only by key and kind, or by name."""
    out = ["// Generated by src/kafka/generate.py: do not edit.", '#include "kafka/message_codec.h"', ""]
    out += [f'#include "{h}"' for h in headers] + ["", "namespace weir::kafka {", ""]
    out += [f"json::Value to_json(const {m.name}& m, std::int16_t version);" for m in messages] + [""]
    out += ["std::span<const MessageCodec> message_codecs() {", "  static constexpr MessageCodec all[] = {"]
    out += [f"      codec_of<{m.name}>()," for m in messages]
    return "\n".join(out + ["  };", "  return all;", "}", "", "}  // namespace weir::kafka", ""])


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


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def api_table_text(apis):
    out = ["// Generated by src/kafka/generate.py: WEIR_KAFKA_API(id, name, key, min, max, stable_max, flexible_from)."]
    for a in apis:
        flexible = "never_flexible" if a["flexible"] is None else a["flexible"]
        out.append(f"WEIR_KAFKA_API({snake(a['name'])}, \"{a['name']}\", {a['key']}, {a['min']}, {a['max']}, "
                   f"{a['stable']}, {flexible})")
    return "\n".join(out + [""])


def groups(items):
    """Splits (header, title, [message]) into GROUPS lists of about the same number of fields."""
    out = [[] for _ in range(GROUPS)]
    weight = [0] * GROUPS
    size = lambda item: sum(len(s.fields) + 3 for m in item[2] for s in m.all_structs())
    for item in sorted(items, key=size, reverse=True):
        lightest = weight.index(min(weight))
        out[lightest].append(item)
        weight[lightest] += size(item)
    return out


def main():
    schemas, out = Path(sys.argv[1]), Path(sys.argv[2]) / "kafka"
    notes = read_notes(schemas / "names-and-defaults.txt")
    apis, messages = read_messages(schemas / "message-schemas.txt", notes)
    records = read_records(schemas / "record-schemas.txt", notes)
    unknown = set(notes) - {m.name for m in [*messages.values(), *records]}
    if unknown:
        raise SystemExit(f"names-and-defaults.txt: unknown messages {sorted(unknown)}")
    items = []  # (header, its title, its messages)
    for api in apis:
        pair = [messages[k] for k in ((api["key"], "request"), (api["key"], "response")) if k in messages]
        if pair:
            items.append((f"kafka/messages/{snake(api['name'])}.h", f"{api['name']}, API {api['key']}", pair))
    items += [(f"kafka/records/{snake(r.name)}.h", r.name, [r]) for r in records]
    if sys.argv[2] == "--headers":
        print(";".join(header for header, _, _ in items), end="")
        return
    for header, title, members in items:
        write(out.parent / header, header_text(title, members))
    for n, group in enumerate(groups(items)):
        headers, members = sorted(h for h, _, _ in group), [m for _, _, ms in group for m in ms]
        write(out / f"messages_{n}.cc", source_text(headers, members))
        write(out / f"messages_json_{n}.cc", json_text(headers, members))
    everything = [m for _, _, ms in items for m in ms]
    write(out / "message_codecs.cc", codec_table_text(everything, sorted(h for h, _, _ in items)))
    write(out / "api_table.inc", api_table_text(apis))


if __name__ == "__main__":
    main()
