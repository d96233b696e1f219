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

from schema import RUNS, SCALARS, read_messages, read_notes, read_records, snake

GROUPS = 6  # sources of each kind, so that a build spreads over processors


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
    out = ["// Generated by src/kafka/generate.py: do not edit.", '#include "kafka/message_codec.h"',
           '#include "kafka/message_json.h"', '#include "kafka/message_json_put.h"']
    out += [f'#include "{h}"' for h in headers] + ["", "namespace weir::kafka {", ""]
    for m in messages:
        for s in m.all_structs():
            where = "static " if s is not m.root else ""
            lines = ["json::Object o;", *Bodies(m, s).to_json(), "return json::Value(std::move(o));"]
            out += function(f"{where}json::Value to_json(const {m.cpp(s)}& m, std::int16_t v)", lines, ("m", "v"))
        out += [f"extern const MessageCodec codec_of_{snake(m.name)};",
                f"constinit const MessageCodec codec_of_{snake(m.name)} = codec_of<{m.name}>();", ""]
    return "\n".join(out + ["}  // namespace weir::kafka", ""])


def json_header_text(messages):
    out = ["// Messages as JSON, the way Kafka's own tools show them. Generated by src/kafka/generate.py: do not edit.",
           "#pragma once", "", '#include "json/json.h"', "", "namespace weir::kafka {", ""]
    for m in messages:
        out += [f"struct {m.name};", f"json::Value to_json(const {m.name}& message, std::int16_t version);"]
    return "\n".join(out + ["", "}  // namespace weir::kafka", ""])


def codec_table_text(messages):
    """The table of message_codec.h, for callers that know a message only by key and kind, or by name."""
    out = ["// Generated by src/kafka/generate.py: do not edit.", '#include "kafka/message_codec.h"', "",
           "namespace weir::kafka {", ""]
    # The codecs themselves are made where the messages are complete.
    out += [f"extern const MessageCodec codec_of_{snake(m.name)};" for m in messages] + [""]
    out += ["std::span<const MessageCodec> message_codecs() {", "  static const MessageCodec all[] = {"]
    out += [f"      codec_of_{snake(m.name)}," for m in messages]
    return "\n".join(out + ["  };", "  return all;", "}", "", "}  // namespace weir::kafka", ""])


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
        print(";".join(["kafka/message_json.h", *(header for header, _, _ in items)]), end="")
        return
    for header, title, members in items:
        write(out.parent / header, header_text(title, members))
    for n, group in enumerate(groups(items)):
        headers, members = sorted(h for h, _, _ in group), [m for _, _, ms in group for m in ms]
        write(out / f"messages_{n}.cc", source_text(headers, members))
        write(out / f"messages_json_{n}.cc", json_text(headers, members))
    everything = [m for _, _, ms in items for m in ms]
    write(out / "message_codecs.cc", codec_table_text(everything))
    write(out / "message_json.h", json_header_text(everything))
    write(out / "api_table.inc", api_table_text(apis))


if __name__ == "__main__":
    main()
