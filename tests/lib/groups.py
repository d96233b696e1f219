"""The group messages of Kafka's protocol by hand, in their newest versions that are not flexible.

Shares nothing with the C++ that it is held against.
"""
import struct

from lib.wire import RawClient, request, string

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 8, 9, 10, 11, 12, 13, 14
DESCRIBE_GROUPS, LIST_GROUPS, DELETE_GROUPS, OFFSET_DELETE = 15, 16, 42, 47


def nullable(text):
    return struct.pack(">h", -1) if text is None else string(text)


def data(value):
    return struct.pack(">i", len(value)) + value


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


class Reader:
    """Takes a reply apart, front to back."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def number(self, kind):
        value = struct.unpack_from(">" + kind, self.body, self.at)[0]
        self.at += struct.calcsize(">" + kind)
        return value

    def text(self):
        size = self.number("h")
        return None if size < 0 else self._take(size).decode()

    def data(self):
        size = self.number("i")
        return None if size < 0 else self._take(size)

    def array(self, item):
        return [item() for _ in range(max(self.number("i"), 0))]

    def _take(self, size):
        self.at += size
        return self.body[self.at - size:self.at]


class GroupClient(RawClient):
    """One connection that speaks of groups. Every call gives what the reply says, as a dictionary or an error code."""

    def ask(self, api, version, body):
        return Reader(self.call(api, version, body))

    def find_coordinator(self, group):
        r = self.ask(FIND_COORDINATOR, 2, string(group) + b"\0")
        r.number("i")
        error, _ = r.number("h"), r.text()
        return {"error": error, "node": r.number("i"), "host": r.text(), "port": r.number("i")}

    @staticmethod
    def join_body(group, member="", instance=None, kind="consumer", protocols=(("range", b"m"),), session_ms=10_000,
                  rebalance_ms=60_000):
        return (string(group) + struct.pack(">ii", session_ms, rebalance_ms) + string(member) + nullable(instance) + string(kind)
                + array([string(name) + data(metadata) for name, metadata in protocols]))

    def send_join(self, *args, **kwargs):
        """Sends a JoinGroup whose answer is read by joined()."""
        self.correlation += 1
        self.send_frame(request(JOIN_GROUP, 5, self.correlation, self.join_body(*args, **kwargs)))

    def joined(self):
        return self._joined(Reader(self.read_frame()[4:]))

    def join(self, *args, **kwargs):
        return self._joined(self.ask(JOIN_GROUP, 5, self.join_body(*args, **kwargs)))

    @staticmethod
    def _joined(r):
        r.number("i")
        return {"error": r.number("h"), "generation": r.number("i"), "protocol": r.text(), "leader": r.text(), "member": r.text(),
                "members": r.array(lambda: (r.text(), r.text(), r.data()))}

    @staticmethod
    def sync_body(group, generation, member, instance=None, assignments=()):
        return (string(group) + struct.pack(">i", generation) + string(member) + nullable(instance)
                + array([string(who) + data(what) for who, what in assignments]))

    def sync(self, *args, **kwargs):
        r = self.ask(SYNC_GROUP, 3, self.sync_body(*args, **kwargs))
        r.number("i")
        return {"error": r.number("h"), "assignment": r.data()}

    def heartbeat(self, group, generation, member, instance=None):
        r = self.ask(HEARTBEAT, 3, string(group) + struct.pack(">i", generation) + string(member) + nullable(instance))
        r.number("i")
        return r.number("h")

    def leave(self, group, *leavers):
        """Each is (member, instance)."""
        r = self.ask(LEAVE_GROUP, 3, string(group) + array([string(m) + nullable(i) for m, i in leavers]))
        r.number("i")
        return {"error": r.number("h"), "members": r.array(lambda: (r.text(), r.text(), r.number("h")))}

    def commit(self, group, offsets, generation=-1, member="", instance=None):
        """offsets: [(topic, partition, offset, metadata)]; the error codes in their order."""
        topics = [string(t) + array([struct.pack(">iqi", p, o, -1) + nullable(m)]) for t, p, o, m in offsets]
        r = self.ask(OFFSET_COMMIT, 7, string(group) + struct.pack(">i", generation) + string(member) + nullable(instance)
                     + array(topics))
        r.number("i")
        codes = r.array(lambda: (r.text(), r.array(lambda: (r.number("i"), r.number("h")))))
        return [error for _, partitions in codes for _, error in partitions]

    def fetch_offsets(self, group, asked=None):
        """asked: [(topic, partition)], None: all. (error, {(topic, partition): (offset, metadata, error)})."""
        topics = struct.pack(">i", -1) if asked is None else array(
            [string(t) + array([struct.pack(">i", p)]) for t, p in asked])
        r = self.ask(OFFSET_FETCH, 5, string(group) + topics)
        r.number("i")
        out = {}
        for topic, partitions in r.array(lambda: (r.text(), r.array(
                lambda: (r.number("i"), r.number("q"), r.number("i"), r.text(), r.number("h"))))):
            for partition, offset, _, metadata, error in partitions:
                out[topic, partition] = (offset, metadata, error)
        return r.number("h"), out

    def describe(self, *groups):
        r = self.ask(DESCRIBE_GROUPS, 4, array([string(g) for g in groups]) + b"\1")
        r.number("i")
        return r.array(lambda: {
            "error": r.number("h"), "group": r.text(), "state": r.text(), "type": r.text(), "protocol": r.text(),
            "members": r.array(lambda: {"member": r.text(), "instance": r.text(), "client": r.text(), "host": r.text(),
                                        "metadata": r.data(), "assignment": r.data()}),
            "operations": r.number("i")})

    def list(self):
        r = self.ask(LIST_GROUPS, 2, b"")
        r.number("i")
        return {"error": r.number("h"), "groups": sorted(r.array(lambda: (r.text(), r.text())))}

    def delete(self, *groups):
        r = self.ask(DELETE_GROUPS, 1, array([string(g) for g in groups]))
        r.number("i")
        return r.array(lambda: (r.text(), r.number("h")))

    def delete_offsets(self, group, *partitions):
        r = self.ask(OFFSET_DELETE, 0, string(group) + array(
            [string(t) + array([struct.pack(">i", p)]) for t, p in partitions]))
        error = r.number("h")
        r.number("i")
        return {"error": error, "topics": sorted(r.array(lambda: (r.text(), r.array(lambda: (r.number("i"), r.number("h"))))))}
