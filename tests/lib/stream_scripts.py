"""Random topologies and events, one script a seed, for weir's test driver and Kafka Streams' TopologyTestDriver.

A script is JSON that tests/java/StreamScripts.java and tests/stream_scripts.cc build and play:

    {"seed", "style", "in_memory", "cached",      # Kafka Streams' stores, and whether a cache stands in front of them;
                                                  # theirs alone is "retention" of nodes too, but of sessions
     "stores": [name, ...],                       # of processors
     "nodes": [{"id", "op", "name", "of": [id, ...], ...}, ...],   # in the order in which they are built
     "topics": [name, ...],                       # that are written
     "events": [[topic, key, value, timestamp, [[header, value], ...]] | ["advance", ms], ...]}

Keys and values are text or null. Functions have names ("fn", "by"); what they do is written down once in each language. What a
script may not hold, because Kafka Streams leaves its outcome open or ours is another one on purpose, is left out by the rules
here; each says why.
"""
import random

from lib.stream_script_tables import TableSteps

STYLES = ("plain", "clock", "cached", "partitions", "chain", "clock")
LONGEST, WIDEST = 15, 4
PREDICATES = ("has_value", "even", "key_a", "not_b", "short")
VALUES = ("exclaim", "double", "first", "lose", "with_key")
REKEYS = ("first_of_value", "last_of_value", "first_of_key", "lose_b", "with_value")
NEVER_LATE_MS = 1_000_000
MOST_CLOCKS = 2  # of punctuations of a kind; of more that are due at one time Kafka Streams calls any first


NO_TABLE = {"kept": False, "history": None, "phantom": False, "other_old": None}


class Head:
    """A stream or a table of text, open for further operators.

    ways: of each origin of its records ("advance" for the wall clock) the repartitions on their way, in order.
    changed: the key may not be that of the partition. many: one record of the input may give several in one sub-topology.
    spread: in several partitions. place: its sub-topology, of Places. Of tables also kept, history, phantom, other_old: see TableSteps.
    """

    def __init__(self, node, ways, place, changed=False, many=False, spread=False, **of_tables):
        self.node, self.ways, self.place, self.changed, self.many, self.spread = node, ways, place, changed, many, spread
        self.kept = self.history = self.phantom = self.other_old = None
        vars(self).update(of_tables)

    def on(self, node, **changes):
        return Head(**{**vars(self), "node": node, **changes})

    def as_stream(self, node):
        """Of a table, whose keys become text."""
        return self.on(node, changed=True, **NO_TABLE)


class Places:
    """Sub-topologies, which operators that join two of them make one, and the repartitions between them.

    None may lie behind itself: its number of partitions would follow from itself.
    """

    def __init__(self):
        self.same, self.behind = [], []

    def new(self, before=()):
        self.same.append(len(self.same))
        self.behind.append({self.of(place) for place in before})
        return len(self.same) - 1

    def of(self, place):
        while self.same[place] != place:
            place = self.same[place]
        return place

    def answer(self, asking, asked):
        """One lies before the other and behind it."""
        if self.of(asking) != self.of(asked):
            self.behind[self.of(asking)].add(self.of(asked))
            self.behind[self.of(asked)].add(self.of(asking))

    def above(self, place):
        """All that lie before it."""
        found, ahead = set(), [place]
        while ahead:
            for before in self.behind[self.of(ahead.pop())]:
                if self.of(before) not in found:
                    found.add(self.of(before))
                    ahead.append(before)
        return found

    def unite(self, a, b):
        """Whether they are one now."""
        a, b = self.of(a), self.of(b)
        if a == b:
            return True
        if a in self.above(b) or b in self.above(a):
            return False
        self.same[b] = a
        self.behind[a] |= self.behind[b]
        return True


class Maker(TableSteps):
    """Draws one topology.

    plain: anything but punctuations by stream time. clock: with them, see stays(). cached: with caches in Kafka Streams.
    partitions: what it gives for a key does not depend on the number of partitions. chain: one stream through many operators.
    """

    WIDEST = WIDEST
    STEPS = {**TableSteps.WEIGHTS, "filter": 6, "map_values": 8, "map_key": 5, "map": 3, "flat_map": 3, "flat_map_values": 3, "peek": 1, "split": 3,
             "merge": 6, "repartition": 3, "process": 14, "join": 10, "aggregate": 9, "window": 9, "session": 5, "sliding": 4,
             "stream_join": 8}

    def __init__(self, rng, style):
        self.rng, self.style = rng, style
        self.nodes, self.stores, self.topics, self.kept = [], [], [], []
        self.heads, self.tables, self.globals, self.inputs = [], [], [], []
        self.places, self.clocks = Places(), {"wall": 0, "stream": 0}
        self.next_id = 0
        # With the style clock either repartitions, or what brings a later time than that of the sources.
        self.repartitions = style != "clock" or rng.random() < 0.3

    def make(self):
        streams = self.rng.randint(1, 1 if self.style == "chain" else 2 if self.style == "clock" else 3)
        for _ in range(streams):
            self.heads.append(self.source("stream"))
        for _ in range(self.rng.choice((0, 1, 2, 2))):
            self.tables.append(self.source("table", kept=True, phantom=True))
        if self.rng.random() < 0.25:
            history = NEVER_LATE_MS if self.style == "partitions" else self.rng.choice((5, 20, 200))
            self.tables.append(self.source("versioned_table", {"history": history}, kept=True, history=history))
        if self.style == "clock":
            self.tie()
        if self.rng.random() < 0.25:
            self.globals.append(self.source("global_table"))
        left = LONGEST if self.style == "chain" else self.rng.randint(4, LONGEST)
        for _ in range(10 * left):
            head = self.rng.choice(self.heads)
            made = getattr(self, self.rng.choices(*zip(*self.STEPS.items()))[0])(head)
            if made is None:
                continue
            if self.style == "chain":
                made = made[-1:]
            elif head not in made and len(self.heads) < WIDEST and self.rng.random() < 0.25:
                made = [head, *made]
            self.heads = [h for h in self.heads if h is not head] + made
            left -= 1
            if left == 0:
                break
        for head in self.heads:
            self.add("to", [head], topic=self.output())
        for table in self.tables:
            if self.rng.random() < 0.4 and not self.hides(table):
                self.add("write_table", [table], topic=self.output())

    def add(self, op, of=(), name=None, **more):
        number = self.next_id
        self.next_id += 1
        self.nodes.append({"id": number, "op": op, "name": name or f"n{number}", "of": [head.node for head in of], **more})
        return number

    def source(self, kind, more=None, **known):
        topic = f"in{len(self.inputs)}"
        self.inputs.append(topic)
        return Head(self.add(kind, topic=topic, **(more or {})), {topic: ()}, self.places.new(), **known)

    def meet(self, a, b):
        """The ways of what two heads give to one node, which makes their sub-topologies one; None if they may not.

        If records of one event came to it through different repartitions, their order would be left open: their
        timestamps are equal.
        """
        if any(a.ways[origin] != b.ways[origin] for origin in a.ways.keys() & b.ways.keys()):
            return None
        return {**a.ways, **b.ways} if self.places.unite(a.place, b.place) else None

    def output(self):
        self.topics.append(f"out{len(self.topics)}")
        return self.topics[-1]

    def tie(self):
        """All sources become one sub-topology."""
        first = self.heads[0]
        for other in self.heads[1:]:
            first = first.on(self.add("merge", [first, other]), ways=self.meet(first, other))
        for table in self.tables:
            first = first.on(self.add("left_join", [first, table]), ways=self.meet(first, table))
        self.heads = [first]

    def stays(self, head):
        """Whether a processor behind it may ask the task's time.

        All sub-topologies are one task of the TopologyTestDriver, with one time; ours have a task each. So it may only in
        that of the sources, and if no repartition brings a later time than theirs.
        """
        return self.style == "clock" and all(not way for origin, way in head.ways.items() if origin != "advance") \
            and not isinstance(head.ways.get("advance", (0,))[-1], str)

    # Each step gives the heads that take the place of `head`, or None if it does not fit.

    def filter(self, head):
        return [head.on(self.add("filter", [head], fn=self.rng.choice(PREDICATES)))]

    def map_values(self, head):
        return [head.on(self.add("map_values", [head], fn=self.rng.choice(VALUES)))]

    def map_key(self, head):
        return None if head.spread else [head.on(self.add("map_key", [head], fn=self.rng.choice(REKEYS)), changed=True)]

    def map(self, head):
        return None if head.spread else [head.on(self.add("map", [head], fn=self.rng.choice(("swap", "shout"))), changed=True)]

    def flat_map(self, head):
        fn = self.rng.choice(("both", "fan"))
        return None if head.spread else [head.on(self.add("flat_map", [head], fn=fn), changed=True, many=True)]

    def flat_map_values(self, head):
        return [head.on(self.add("flat_map_values", [head], fn=self.rng.choice(("twice", "ends"))), many=True)]

    def peek(self, head):
        return [head.on(self.add("peek", [head]))]

    def split(self, head):
        takes = self.rng.sample(PREDICATES, self.rng.randint(1, 2)) + ["rest"] * self.rng.randint(0, 1)
        node = self.add("split", [head])
        branches = [{"id": node + 1 + n, "fn": fn} for n, fn in enumerate(takes)]
        self.nodes[-1]["branches"] = branches
        self.next_id += len(branches)
        return [head.on(branch["id"]) for branch in branches]

    def merge(self, head):
        if self.style == "cached":  # what a cache gives comes behind the rest of the record
            return None
        for other in self.rng.sample(self.heads, len(self.heads)):
            ways = self.meet(head, other)
            if other is not head and ways is not None:
                self.heads.remove(other)
                return [head.on(self.add("merge", [head, other]), ways=ways, changed=head.changed or other.changed,
                                many=head.many or other.many or bool(head.ways.keys() & other.ways.keys()),
                                spread=head.spread or other.spread)]
        return None

    def through(self, head, name):
        """The head behind a repartition, which the next node makes; None if there may be none."""
        if head.spread or not self.repartitions:
            return None
        return head.on(None, ways={origin: (*way, name) for origin, way in head.ways.items()},
                       place=self.places.new([head.place]), changed=False,
                       spread=head.many and self.style == "partitions",
                       many=head.many and self.style != "cached")  # each of its records is committed by itself

    def repartition(self, head):
        name = f"r{self.next_id}"
        behind = self.through(head, name)
        return behind and [behind.on(self.add("repartition", [head], name=name))]

    def process(self, head):
        kinds = ["stamp", "stamp", "pass", "keep", "keep"]
        if not self.holds("session"):
            kinds.append("show_headers")
        if self.kept and self.style != "cached":  # where what is behind a cache comes later
            kinds += 6 * ["recall"]
        if self.style != "clock" or not self.repartitions:
            kinds += ["stamp_twice", "shift", "gather_wall", "gather_wall_clear"]
        if self.stays(head):
            kinds += 6 * ["clock", "gather_stream", "gather_stream_clear"]
        kind = self.rng.choice(kinds)
        gathers = next((clock for clock in self.clocks if kind.startswith(f"gather_{clock}")), None)
        if gathers and self.clocks[gathers] == MOST_CLOCKS:
            return None
        stateful = gathers or kind in ("keep", "recall")
        if stateful and self.style == "partitions" and head.changed:  # the rows would be those of the task
            return None
        more, changes = {}, {"changed": True}  # for all that is known of a processor
        if kind == "shift":
            more["number"] = self.rng.choice((-7, -1, 3, 12))
        elif kind == "stamp_twice":
            changes["many"] = True
        elif kind == "recall":
            store, keeper = self.rng.choice(self.kept)
            ways = self.meet(head, keeper)
            if ways is None:
                return None
            more["store"], changes["ways"] = store, ways
        elif stateful:
            more["store"] = f"s{self.next_id}"
            self.stores.append(more["store"])
        if gathers:
            self.clocks[gathers] += 1
            more["number"] = self.rng.choice((5, 10, 15, 40))
            ways = {"advance": (self.next_id,)} if gathers == "wall" else {topic: () for topic in self.inputs}
            changes |= {"ways": ways, "many": True, "spread": self.style == "partitions"}
        if kind == "keep":
            self.kept.append((more["store"], head))
        return [head.on(self.add("process", [head], fn=kind, **more), **changes)]

    def join(self, head):
        left = self.through(head, f"n{self.next_id}") if head.changed else head
        for table in self.rng.sample(self.tables, len(self.tables) if left else 0):
            ways = self.meet(left, table) if table.kept else None
            if ways is not None:
                return [left.on(self.add(self.rng.choice(("join", "left_join")), [head, table]), ways=ways)]
        return None

    def grouped(self, head):
        """How a node that groups does so, and what its records are like there; None if it cannot."""
        by = {"by": self.rng.choice(REKEYS)} if self.rng.random() < 0.4 and not head.spread else {}
        read = self.through(head, f"n{self.next_id}-by") if head.changed or by else head
        if read is None or self.style == "cached" and read.many:  # of several updates a cache gives the last
            return None
        return by, read

    def table_of(self, op, head, read, **more):
        table = read.on(self.add(op, [head], **more), kept=True, other_old="first" if op == "aggregate" else None)
        closes = "on_close" in more
        shown = self.suppressed(table, not more.get("on_close") and self.rng.random() < (0.35 if closes else 0.15), closes)
        return table, [shown.as_stream(self.add("to_stream", [shown]))]

    def aggregate(self, head):
        how = self.grouped(head)
        if how is None:
            return None
        op = self.rng.choice(("count", "reduce", "aggregate"))
        # In a cache the time of a row is lost with its value, so that the tombstone has that of the record.
        fns = ("append",) if self.style == "cached" else ("append", "append_or_forget")
        more = {"fn": self.rng.choice(fns)} if op == "aggregate" else {}
        table, made = self.table_of(op, head, how[1], **how[0], **more)
        if op != "count":
            self.tables.append(table)
        return made

    def window(self, head):
        op = self.rng.choice(("window_count", "window_reduce", "window_aggregate"))
        if op == "window_reduce":  # knows no absent values
            head = head.on(self.add("filter", [head], fn="has_value"))
        how = self.grouped(head)
        if how is None:
            return [head] if op == "window_reduce" else None
        size = self.rng.choice((5, 10, 20))
        advance = self.rng.choice((size, size, 3, 5))
        # Each partition has a time of its own.
        grace = NEVER_LATE_MS if self.style == "partitions" else self.rng.choice((0, 0, 4, 15))
        on_close = self.style != "partitions" and self.rng.random() < 0.35
        # Where time jumps further than the retention, Kafka Streams forgets windows instead of emitting them.
        more = {"retention": NEVER_LATE_MS} if on_close else {}
        read = how[1].on(None, many=how[1].many or on_close or advance < size)
        more |= {"size": size, "advance": advance, "grace": grace, "on_close": on_close}
        return self.table_of(op, head, read, **how[0], **more)[1]

    def uncached(self, head):
        """How a node groups whose updates of one record a cache would make one, so that there may be none."""
        return None if self.style == "cached" else self.grouped(head)

    def grace(self):
        """Each partition has a time of its own."""
        return NEVER_LATE_MS if self.style == "partitions" else self.rng.choice((0, 0, 4, 15))

    def holds(self, what):
        return any(what in (node["op"], node["op"].split("_")[0], node.get("fn")) for node in self.nodes)

    def session(self, head):
        """Kafka Streams gives sessions on without headers."""
        how = self.uncached(head)
        if how is None or self.holds("show_headers"):
            return None
        op = self.rng.choice(("session_count", "session_aggregate"))
        on_close = self.style != "partitions" and self.rng.random() < 0.45
        more = {"gap": self.rng.choice((2, 5, 12)), "grace": self.grace(), "on_close": on_close}
        if on_close:
            more["retention"] = NEVER_LATE_MS
        return self.table_of(op, head, how[1].on(None, many=True), **how[0], **more)[1]

    def sliding(self, head):
        how = self.uncached(head)
        if how is None:
            return None
        op = self.rng.choice(("sliding_count", "sliding_aggregate"))
        on_close = self.style != "partitions" and self.rng.random() < 0.45
        # Where a later window has begun, Kafka Streams forgets windows that a record still follows.
        more = {"difference": self.rng.choice((3, 8)), "grace": self.grace(), "on_close": on_close, "retention": 2 * NEVER_LATE_MS}
        return self.table_of(op, head, how[1].on(None, many=True), **how[0], **more)[1]

    def stream_join(self, head):
        """Which records find no partner depends on the time of all keys of a partition."""
        if self.style == "cached":
            return None
        op = "inner" if self.style == "partitions" else self.rng.choice(("inner", "left", "outer"))
        for other in self.rng.sample(self.heads, len(self.heads)):
            name = f"n{self.next_id}"
            left = self.through(head, f"{name}-left") if head.changed else head
            right = self.through(other, f"{name}-right") if other.changed else other
            if left is None or right is None or other is head:
                continue
            ways = self.meet(left, right)
            if ways is None:
                continue
            self.heads.remove(other)
            before, after = self.rng.choice(((5, 5), (3, 0), (0, 8), (-2, 8), (10, 2)))
            more = {"before": before, "after": after, "grace": self.grace()}
            return [left.on(self.add(f"stream_join_{op}", [head, other], **more), ways=ways, many=True)]
        return None


def events(rng, topics, advances):
    made, now = [], rng.choice((0, 3, 100))
    for _ in range(rng.randint(20, 45)):
        if rng.random() < (0.15 if advances else 0.02):
            made.append(["advance", rng.choice((1, 5, 10, 30, 100))])
            continue
        now += rng.choice((0, 0, 1, 1, 2, 3, 7, rng.choice((0, 5, 60))))
        back = rng.choice((0, 0, 0, 0, rng.randrange(25)))
        key = None if rng.random() < 0.05 else rng.choice("abcd")
        value = None if rng.random() < 0.08 else rng.choice("abcdefgh") + str(rng.randrange(10))
        many = rng.choice((0, 0, 1, 2))
        headers = [[rng.choice(("h1", "h2")), rng.choice((None, "", "x", "yz"))] for _ in range(many)]
        made.append([rng.choice(topics), key, value, max(0, now - back), headers])
    return made


def of_nodes(nodes, events, cached=False):
    """A script of that topology. Nodes: (op, of, further members), numbered from 0."""
    made = [{"id": number, "op": op, "name": f"n{number}", "of": list(of), **more}
            for number, (op, of, more) in enumerate(nodes)]
    return {"in_memory": True, "cached": cached, "stores": [node["store"] for node in made if "store" in node], "nodes": made,
            "topics": [node["topic"] for node in made if node["op"] == "to"], "events": events}


def script(seed, number):
    """The script with that number of a seed; both may be text."""
    style = STYLES[int(number) % len(STYLES)]
    rng = random.Random(f"{seed}/{number}")
    maker = Maker(rng, style)
    maker.make()
    kinds = [node.get("fn", "") for node in maker.nodes if node["op"] == "process"]
    # Sessions that close at one time come by start, then key; from Kafka Streams' store in memory by key, then start.
    by_start = any(node["op"].startswith("session") and node["on_close"] for node in maker.nodes)
    return {"seed": f"{seed}/{number}", "style": style, "in_memory": rng.random() < 0.85 and not by_start, "cached": style == "cached",
            "stores": maker.stores, "nodes": maker.nodes, "topics": maker.topics,
            "events": events(rng, maker.inputs, any("wall" in kind for kind in kinds))}
