"""Random Avro schemas, readers grown from writers by edits, and values; everything from one seed."""
import copy
import json
import random
import struct
import uuid

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
LOGICAL = {"int": ["date", "time-millis"], "string": ["uuid"], "bytes": ["decimal"],
           "long": ["time-micros", "timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros"]}
WIDER = {"int": ["long", "float", "double"], "long": ["float", "double", "int"], "float": ["double", "long"],
         "double": ["float"], "string": ["bytes", "int"], "bytes": ["string"], "boolean": ["int"]}
TEXTS = ["", "a", "grün", "東京", "x" * 70, "\u0001\"\\", "00000000-0000-0000-0000-000000000001"]
EDGES = {"int": [0, 1, -1, 63, 64, -64, -65, 2**31 - 1, -2**31], "long": [0, -1, 2**31, 2**63 - 1, -2**63, 2**53 + 1]}


class Maker:
    def __init__(self, seed, space=""):
        """`space`: a namespace that every type lies in, so that many schemas go into one program."""
        self.random = random.Random(seed)
        self.space = space
        self.names = 0
        self.ascii_bytes = self.random.random() < 0.6  # then bytes may be promoted to strings: all libraries agree
        self.records = []

    def chance(self, share):
        return self.random.random() < share

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    # Schemas

    def record(self, depth):
        schema = {"type": "record", "name": self.name("R")}
        if self.chance(0.3) or (self.space and not depth):
            inner = self.random.choice(["org.example", "a.b.c", "n"])
            schema["namespace"] = f"{self.space}.{inner}" if self.space else inner
        if self.chance(0.1):
            schema["doc"] = "Says \"what\" it is."
        full = f"{schema['namespace']}.{schema['name']}" if "namespace" in schema else schema["name"]
        # A name without a namespace cannot be meant from inside another's namespace by every library.
        self.records.append(full if "namespace" in schema else None)
        schema["fields"] = [self.field(f"f{n}", depth + 1) for n in range(self.random.randint(0 if depth else 1, 5))]
        self.records.pop()
        return schema

    def field(self, name, depth):
        field = {"name": name, "type": self.type(depth)}
        if self.chance(0.35):
            self.give_default(field)
        if self.chance(0.05):
            field["order"] = "ignore"
        return field

    def type(self, depth, in_union=False):
        kinds = ["primitive"] * 6 + ["enum", "fixed"]
        if depth < 4:
            kinds += ["array", "map", "record"] + ([] if in_union else ["union", "union"])
        kind = self.random.choice(kinds)
        if kind == "primitive":
            name = self.random.choice(PRIMITIVES[1:])
            if name in LOGICAL and self.chance(0.3):
                logical = {"type": name, "logicalType": self.random.choice(LOGICAL[name])}
                return {**logical, "precision": 9, "scale": 2} if logical["logicalType"] == "decimal" else logical
            return name
        if kind == "enum":
            schema = {"type": "enum", "name": self.name("E"), "symbols": [f"S{n}" for n in range(self.random.randint(1, 4))]}
            return {**schema, "default": "S0"} if self.chance(0.4) else schema
        if kind == "fixed":
            return {"type": "fixed", "name": self.name("F"), "size": self.random.randint(0, 6)}
        if kind == "array":
            return {"type": "array", "items": self.type(depth + 1)}
        if kind == "map":
            return {"type": "map", "values": self.type(depth + 1)}
        if kind == "record":
            return self.record(depth)
        return self.union(depth)

    def union(self, depth):
        branches, seen = [], set()
        if self.chance(0.7):
            branches.append("null")
        if self.records and self.records[-1] and self.chance(0.15):
            branches.append(self.records[-1])
        for _ in range(self.random.randint(1, 3)):
            branch = self.type(depth + 1, in_union=True)
            kind = branch if isinstance(branch, str) else branch["type"]
            key = {"float": "real", "double": "real"}.get(kind, kind)  # see the values: 0.1 must not change its branch
            if key in seen:
                continue
            seen.add(key)
            branches.append(branch)
        self.random.shuffle(branches)
        # A union of a name alone has no end.
        return branches if "null" in branches or not any(b in self.records for b in branches if isinstance(b, str)) else ["null", *branches]

    def give_default(self, field):
        kind = field["type"]
        default = self.plain(kind[0] if isinstance(kind, list) else kind)
        if default is not NotImplemented:
            field["default"] = default

    def plain(self, schema):
        """A default that every library takes; NotImplemented for types where none is simple."""
        kind = schema if isinstance(schema, str) else schema["type"]
        simple = {"null": None, "boolean": True, "int": 7, "long": -7, "float": 1.5, "double": 2.25, "string": "dé",
                  "bytes": "ab" if self.ascii_bytes else "\u0001ÿ", "array": [], "map": {}}
        if kind in simple:
            return simple[kind]
        if kind == "enum":
            return schema["symbols"][-1]
        if kind == "fixed":
            return "z" * schema["size"]
        return NotImplemented

    # Readers

    def reader(self, writer):
        reader = copy.deepcopy(writer)
        if isinstance(reader, dict) and reader["type"] == "record":
            for _ in range(self.random.randint(1, 4)):
                self.edit(reader)
        return reader

    def all_of(self, schema, found):
        if isinstance(schema, list):
            for branch in schema:
                self.all_of(branch, found)
        elif isinstance(schema, dict):
            found.append(schema)
            for member in ("items", "values"):
                if member in schema:
                    self.all_of(schema[member], found)
            for field in schema.get("fields", []):
                self.all_of(field["type"], found)
        return found

    def edit(self, root):
        places = self.all_of(root, [])
        records = [p for p in places if p["type"] == "record"]
        record = self.random.choice(records)
        fields = record["fields"]
        choice = self.random.randint(0, 11)
        if choice == 0:
            field = {"name": self.name("added"), "type": self.type(3)}
            if self.chance(0.8):
                self.give_default(field)
            fields.insert(self.random.randint(0, len(fields)), field)
        elif choice == 1 and fields:
            fields.pop(self.random.randrange(len(fields)))
        elif choice == 2 and fields:
            field = self.random.choice(fields)
            if self.chance(0.8):
                field.setdefault("aliases", []).append(field["name"])
            field["name"] = self.name("renamed")
        elif choice == 3:
            self.random.shuffle(fields)
        elif choice in (4, 5) and fields:
            field = self.random.choice(fields)
            if isinstance(field["type"], str) and field["type"] in WIDER:
                wider = self.random.choice(WIDER[field["type"]])
                if (field["type"], wider) != ("bytes", "string") or self.ascii_bytes:
                    field["type"] = wider
                    field.pop("default", None)
        elif choice == 6:
            self.edit_named(places)
        elif choice == 7 and fields:
            field = self.random.choice(fields)
            if not isinstance(field["type"], list) and field["type"] != "null":
                field["type"] = [field["type"], "null"] if self.chance(0.5) else ["null", field["type"]]
                field.pop("default", None)
        elif choice == 8:
            unions = [f for r in records for f in r["fields"] if isinstance(f["type"], list) and len(f["type"]) > 1]
            if unions:
                field = self.random.choice(unions)
                field.pop("default", None)
                if self.chance(0.5):
                    self.random.shuffle(field["type"])
                elif self.chance(0.5):
                    field["type"].pop(self.random.randrange(len(field["type"])))
                else:
                    field["type"] = self.random.choice(field["type"])
        elif choice == 9:
            for place in places:
                if "logicalType" in place:
                    for member in ("logicalType", "precision", "scale"):
                        place.pop(member, None)
        elif choice == 10 and fields:
            self.random.choice(fields).pop("default", None)

    def edit_named(self, places):
        named = [p for p in places if p["type"] in ("enum", "fixed")]
        if not named:
            return
        place = self.random.choice(named)
        for field in (f for p in places for f in p.get("fields", [])):
            if field["type"] is place or (isinstance(field["type"], list) and any(b is place for b in field["type"])):
                field.pop("default", None)  # it may no longer fit
        if place["type"] == "fixed":
            place["size"] += 1
        elif self.chance(0.5) and len(place["symbols"]) > 1:
            place["symbols"].pop()
            if place.get("default", "S0") not in place["symbols"]:
                place.pop("default", None)
        else:
            place["symbols"].append(self.name("ADDED"))
            self.random.shuffle(place["symbols"])

    # Values, as Avro's JSON

    def values(self, schema, count):
        known = {}
        self.learn(schema, "", known)
        return [self.value(schema, "", known, 0) for _ in range(count)]

    def learn(self, schema, space, known):
        if isinstance(schema, list):
            for branch in schema:
                self.learn(branch, space, known)
        elif isinstance(schema, dict):
            if "name" in schema:
                space = schema.get("namespace", space)
                known[f"{space}.{schema['name']}" if space else schema["name"]] = schema
            for member in ("items", "values"):
                if member in schema:
                    self.learn(schema[member], space, known)
            for field in schema.get("fields", []):
                self.learn(field["type"], space, known)

    def value(self, schema, space, known, depth):
        if isinstance(schema, list):
            return self.branch(schema, space, known, depth)
        if isinstance(schema, str) and schema in known:
            space = schema.rpartition(".")[0]
            schema = known[schema]
        kind = schema if isinstance(schema, str) else schema["type"]
        logical = schema.get("logicalType") if isinstance(schema, dict) else None
        if logical == "uuid":
            return str(uuid.UUID(bytes=self.random.randbytes(16)))
        if logical == "decimal":
            number = self.random.choice([0, 1, -1, 127, 128, -128, -129, 999999999, self.random.randint(-10**9 + 1, 10**9 - 1)])
            size = next(n for n in range(1, 9) if -2**(8 * n - 1) <= number < 2**(8 * n - 1))
            return number.to_bytes(size, "big", signed=True).decode("latin-1")
        if kind in EDGES:
            bits = 32 if kind == "int" else 64
            return self.random.choice(EDGES[kind]) if self.chance(0.5) else self.random.randint(-2**(bits - 1), 2**(bits - 1) - 1)
        if kind in ("float", "double"):
            return self.real(kind)
        if kind == "bytes":
            top = 0x7f if self.ascii_bytes else 0xff
            return "".join(chr(self.random.randint(0, top)) for _ in range(self.random.randint(0, 5)))
        if kind == "fixed":
            return "".join(chr(self.random.randint(0, 0xff)) for _ in range(schema["size"]))
        if kind == "array":
            return [self.value(schema["items"], space, known, depth + 1) for _ in range(self.length(depth))]
        if kind == "map":
            return {f"k{n}": self.value(schema["values"], space, known, depth + 1) for n in range(self.length(depth))}
        if kind == "record":
            space = schema.get("namespace", space)
            return {f["name"]: self.value(f["type"], space, known, depth + 1) for f in schema["fields"]}
        simple = {"null": None, "boolean": self.chance(0.5), "string": self.random.choice(TEXTS)}
        return simple[kind] if kind in simple else self.random.choice(schema["symbols"])

    def length(self, depth):
        return self.random.randint(0, 3) if depth < 6 else 0

    def real(self, kind):
        if self.chance(0.05):
            return self.random.choice(["NaN", "Infinity", "-Infinity"])
        if self.chance(0.5):
            return self.random.choice([0.0, 1.5, -1e10, 16777216.0])
        while True:
            size, code = (4, "<f") if kind == "float" else (8, "<d")
            real = struct.unpack(code, self.random.randbytes(size))[0]
            if real == real and abs(real) != float("inf"):
                return real

    def branch(self, branches, space, known, depth):
        choices = branches
        if depth > 8 and "null" in branches:
            return None
        branch = self.random.choice(choices)
        if branch == "null":
            return None
        value = self.value(branch, space, known, depth + 1)
        if isinstance(branch, str):
            return {branch: value}
        if "name" not in branch:
            return {branch["type"]: value}
        inside = branch.get("namespace", space)
        return {f"{inside}.{branch['name']}" if inside else branch["name"]: value}


def for_fastavro(schema, value):
    """A value in Avro's JSON as fastavro writes it: branches of unions named, bytes as bytes."""
    known = {}
    Maker(0).learn(schema, "", known)
    return _tagged(schema, value, "", known)


def _tagged(schema, value, space, known):
    if isinstance(schema, list):
        return None if value is None else _tagged_branch(schema, value, space, known)
    if isinstance(schema, str) and schema in known:
        space = schema.rpartition(".")[0]
        schema = known[schema]
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind in ("bytes", "fixed"):
        return value.encode("latin-1")
    if kind in ("float", "double"):
        return float(value)
    if kind == "array":
        return [_tagged(schema["items"], item, space, known) for item in value]
    if kind == "map":
        return {key: _tagged(schema["values"], member, space, known) for key, member in value.items()}
    if kind == "record":
        space = schema.get("namespace", space)
        return {f["name"]: _tagged(f["type"], value[f["name"]], space, known) for f in schema["fields"]}
    return value


def _tagged_branch(schema, value, space, known):
    (name, inner), = value.items()
    for branch in schema:
        if isinstance(branch, str):
            full = branch
        elif "name" in branch:
            own = branch.get("namespace", space)
            full = f"{own}.{branch['name']}" if own else branch["name"]
        else:
            full = branch["type"]
        if full == name:
            return (name, _tagged(branch, inner, space, known))
    raise AssertionError(f"no branch {name}")


def case(seed, values=3, space=""):
    """{writer, reader, json}: schemas as text, values of the writer. With a space the writer is a record of it."""
    maker = Maker(seed, space)
    writer = maker.record(0) if space or maker.chance(0.9) else maker.type(0)
    reader = maker.reader(writer)
    return {"writer": json.dumps(writer, ensure_ascii=False), "reader": json.dumps(reader, ensure_ascii=False),
            "json": maker.values(writer, values)}
