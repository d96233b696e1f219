"""The steps of lib/stream_scripts.py that work on tables, and what holds their updates back.

A table is a Head with four members more. kept: it has a store, so that joins can look into it. history: of a versioned table, in
ms, and of what is made of it without a store. phantom: it may tell that a row is gone that nobody knew of; where Kafka Streams has
a cache in front of the store it does not. other_old: what it tells as the value from before is not what it told then, or in Kafka
Streams not what it is in ours. "first": the first update of an aggregate tells the initial value. "within": a join both of whose
sides one event changes tells what the row would have been between. "between": so does in Kafka Streams one that is kept, ours
tells what it has kept.
"""
PREDICATES = ("even", "key_a", "not_b", "short")
VALUES = ("exclaim", "double", "first", "lose", "with_key")
FOREIGN_KEYS = ("first_of_value", "first_of_value", "first_of_value", "first_of_key", "lose_b")
GROUPS = ("first_of_value", "last_of_value", "first_of_key", "lose_b")


class TableSteps:
    """Base of Maker. Each step gives the streams that take the place of `head`, or None if it does not fit."""

    WEIGHTS = {"to_table": 4, "table_filter": 5, "table_map_values": 5, "table_join": 12, "table_group": 6, "foreign_key_join": 12,
               "suppress_table": 4, "version_join": 14, "global_join": 10}

    def pick(self, fits=lambda table: True):
        """A table that fits; None if there is none."""
        fitting = [table for table in self.tables if fits(table)]
        return self.rng.choice(fitting) if fitting else None

    def shown(self, head, table):
        """The table is one more, and maybe a stream too."""
        self.tables.append(table)
        if self.hides(table) or self.rng.random() < 0.4 or len(self.heads) >= self.WIDEST and self.style != "chain":
            return [head]
        return [head, table.as_stream(self.add("to_stream", [table]))]

    def hides(self, table):
        """Whether Kafka Streams may not tell all that we do."""
        return self.style == "cached" and table.phantom

    def to_table(self, head):
        table = self.through(head, f"n{self.next_id}") if head.changed else head
        if table is None or head.spread or self.style == "cached" and table.many:  # of several updates a cache gives the last
            return None
        return self.shown(head, table.on(self.add("to_table", [head]), kept=True, history=None, phantom=True, other_old=None))

    def table_filter(self, head):
        return self.made_of_one(head, "table_filter", PREDICATES, phantom=False)

    def table_map_values(self, head):
        return self.made_of_one(head, "table_map_values", VALUES)

    def made_of_one(self, head, op, functions, **changes):
        kept = self.keeps()

        def fits(table):
            if not kept:
                return table.other_old in (None, "within")
            # A store of another kind would keep late versions. One of its own says what was there before; Kafka Streams' filter asks it.
            return not table.history and not (op == "table_filter" and table.other_old == "within")
        table = self.pick(fits)
        if table is None:
            return None
        other_old = None if kept else table.other_old
        made = table.on(self.add(op, [table], fn=self.rng.choice(functions), kept=kept), kept=kept, other_old=other_old, **changes)
        return self.shown(head, made)

    def keeps(self):
        """Whether a table that is made of others is kept. Behind a cache it would lag behind its sources within one event."""
        return self.style != "cached" and self.rng.random() < 0.5

    def table_join(self, head):
        left, right = (self.pick(lambda table: table.kept and table.other_old != "between" and not self.hides(table))
                       for _ in range(2))
        if left is None or left is right:
            return None
        shared = left.ways.keys() & right.ways.keys()
        if shared and (self.style == "cached" or left.other_old or right.other_old):  # caches give in an order of their own
            return None
        ways = self.meet(left, right)
        if ways is None:
            return None
        op, kept = self.rng.choice(("inner", "left", "outer")), self.keeps()
        node = self.add(f"table_join_{op}", [left, right], kept=kept)
        many = left.many or right.many or bool(shared)
        other_old = left.other_old or right.other_old or (("between" if kept else "within") if shared else None)
        return self.shown(head, left.on(node, ways=ways, many=many, kept=kept, history=None, phantom=True, other_old=other_old))

    def table_group(self, head):
        table = self.pick(lambda table: table.other_old in (None, "within") and not (self.style == "cached" and table.many))
        name = f"n{self.next_id}"
        behind = table and self.through(table, f"{name}-by")
        if behind is None:
            return None
        op = self.rng.choice(("table_count", "table_reduce", "table_aggregate"))
        fns = ("append",) if self.style == "cached" else ("append", "append_or_forget")
        more = {"fn": self.rng.choice(fns)} if op == "table_aggregate" else {}
        node = self.add(op, [table], by=self.rng.choice(GROUPS), **more)
        # A row that changes its group is an update of two.
        made = behind.on(node, many=self.style != "cached", spread=self.style == "partitions", kept=True, history=None,
                         phantom=False)
        if op == "table_count":
            shown = self.suppressed(made, self.rng.random() < 0.3)
            return [head, shown.as_stream(self.add("to_stream", [shown]))] if len(self.heads) < self.WIDEST else [head]
        return self.shown(head, made)

    def foreign_key_join(self, head):
        """Through two repartitions, from the left table to the right one and back."""
        if not self.repartitions:
            return None
        left = self.pick(lambda table: table.kept and not table.other_old and not self.answers_cross(table))
        right = self.pick(lambda table: table.kept and not self.hides(table))
        if left is None or right is None or left.ways.keys() & right.ways.keys():
            return None  # of two changes by one event either may come first
        if self.style == "partitions" and right.many:
            return None
        self.places.answer(left.place, right.place)
        name = f"n{self.next_id}"
        op = self.rng.choice(("foreign_key_join", "foreign_key_left_join"))
        node = self.add(op, [left, right], fn=self.rng.choice(FOREIGN_KEYS))
        ways = {origin: (*way, f"{name}-asks", f"{name}-answers") for origin, way in left.ways.items()} \
            | {origin: (*way, f"{name}-answers") for origin, way in right.ways.items()}
        made = left.on(node, ways=ways, many=self.style != "cached", spread=self.style == "partitions", kept=True, history=None,
                       phantom=True)
        return self.shown(head, made)

    def answers_cross(self, table):
        """Whether a row may change again before the answer for its first change is there, by chance."""
        return table.many and (self.style == "partitions" or any(table.ways.values()))

    def suppressed(self, table, wanted, closes=False):
        """The table, or what is let through of it. What is let go follows from the time of all keys of a partition."""
        if not wanted or self.style == "partitions" or table.history:
            return table
        op = self.rng.choice(("suppress_limit", "suppress_records") + ("suppress_close",) * 2 * closes)
        more = {} if op == "suppress_close" else {"limit": self.rng.choice((0, 3, 10, 40))}
        if op == "suppress_records":
            more = {"limit": self.rng.choice((10, 1000)), "most": self.rng.choice((1, 2, 3))}
        return table.on(self.add(op, [table], **more), many=True, kept=False)

    def suppress_table(self, head):
        table = self.pick(lambda table: not table.history and not self.hides(table))
        if table is None or self.style == "partitions" or len(self.heads) >= self.WIDEST and self.style != "chain":
            return None
        held = self.suppressed(table, True)
        if self.rng.random() < 0.4:
            held = held.on(self.add("table_map_values", [held], fn=self.rng.choice(VALUES), kept=False))
        return [head, held.as_stream(self.add("to_stream", [held]))]

    def version_join(self, head):
        """With a grace records wait for the time of all keys of a partition."""
        left = self.through(head, f"n{self.next_id + 1}") if head.changed else head
        table = left and self.pick(lambda table: table.kept and table.history)
        ways = table and self.meet(left, table)
        if not ways:
            return None
        grace = 0 if self.style == "partitions" else min(self.rng.choice((0, 2, 5, 12)), table.history)
        op = self.rng.choice(("version_join", "version_left_join"))
        if op == "version_left_join" and grace:  # Kafka Streams fails on a record without a key
            head = head.on(self.add("filter", [head], fn="has_key"))
        return [left.on(self.add(op, [head, table], grace=grace), ways=ways, many=left.many or grace > 0)]

    def global_join(self, head):
        """A table whose topic no task reads; so it has no ways."""
        if not self.globals:
            return None
        op = self.rng.choice(("global_join", "global_left_join"))
        of = self.rng.choice(self.globals)
        return [head.on(self.add(op, [head, of], fn=self.rng.choice(FOREIGN_KEYS + ("last_of_value",))))]
