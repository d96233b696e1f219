"""The parsers of requests and of answers against h11, over plain ones and thousands of damaged ones: ours may refuse more, but
what they accept h11 must read as the same. A difference would be a way to smuggle something past somebody."""
import base64
import json
import random
import struct
import unittest

import h11

from lib import proc
from lib.broker import helper

PLAIN = [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /a/b?x=1&y=%20z HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\nUser-Agent: a \xe9 b\r\n\r\n",
    b"HEAD /metrics HTTP/1.1\r\nhost:\tlocalhost \r\nX-Empty:\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET http://localhost:1/p?q HTTP/1.1\r\nHost: localhost:1\r\n\r\n",
    b"POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nyou",
    b"PUT /s/x HTTP/1.1\r\nHost: [::1]:8081\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n\n\r\n00a\r\n0123456789\r\n0\r\n\r\n",
    b"POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nabGET /next HTTP/1.1\r\nHost: h\r\n\r\n"
    b"POST /last HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"GET /old HTTP/1.0\r\nHost: h\r\n\r\n",
    b"DELETE /s/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
]
PLAIN_ANSWERS = [
    b"GET HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    b"GET HTTP/1.1 404 Not Found\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
    b"GET HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n\n\r\n00a\r\n0123456789\r\n0\r\n\r\n",
    b"GET HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the\r\n\r\nend",
    b"GET HTTP/1.0 200 OK\r\n\r\nold",
    b"HEAD HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HEAD HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET HTTP/1.1 204 No Content\r\nX-A:\ta \r\n\r\n",
    b"GET HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"GET HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok",
]
PIECES = [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"0", b"1", b";x=y", b",", b"\0", b"\x0b", b"\xff", b"%00", b"\r\n ", b"\r\n\r\n",
          b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
          b"Transfer-Encoding : chunked\r\n", b"Host: other\r\n", b"chunked", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n",
          b"0\r\n\r\n", b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"-1", b"+3", b"0x5", b"f"]


def by_ours(streams, what="requests"):
    """What the probe makes of each stream of bytes."""
    stdin = b"".join(struct.pack(">I", len(stream)) + stream for stream in streams)
    lines = proc.run([helper("http_probe"), what], deadline_s=120, stdin=stdin).out.splitlines()
    return [json.loads(line) for line in lines]


def by_h11(stream):
    """The requests that h11 finds in front of the first error, end of data, or end of the connection."""
    connection, found, body, head = h11.Connection(h11.SERVER), [], b"", None
    try:
        connection.receive_data(stream)
        while True:
            event = connection.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                return found
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                found.append((head, body))
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE:
                    return found
                connection.start_next_cycle()
            else:
                return found
    except h11.RemoteProtocolError:
        return found


def answer_by_h11(stream):
    """(head, body) of the answer to the method in front, whose connection ends behind it; None if there is none."""
    method, _, stream = stream.partition(b" ")
    connection, head, body = h11.Connection(h11.CLIENT), None, b""
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    try:
        connection.receive_data(stream)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return head, body
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None


def target_of(request):
    target = request.target
    for scheme in (b"http://", b"https://"):
        if target.startswith(scheme):
            rest = target[len(scheme):]
            cut = min((rest.index(c) for c in (b"/", b"?") if c in rest), default=len(rest))
            target = rest[cut:] if rest[cut:cut + 1] == b"/" else b"/" + rest[cut:]
    path, _, query = target.partition(b"?")
    return path, query


def damaged(rng, plain=PLAIN, most=2, kept=0):
    """A stream of plain requests, one or up to `most`, with one to three changes behind its first `kept` bytes."""
    stream = bytearray(b"".join(rng.choice(plain) for _ in range(rng.randint(1, most))))
    head, stream = bytes(stream[:kept]), stream[kept:]
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(stream))
        kind = rng.randrange(5)
        if kind == 0:
            stream[at:at] = rng.choice(PIECES)
        elif kind == 1:
            stream[at:at + rng.randint(1, 4)] = b""
        elif kind == 2:
            stream[at] = rng.randrange(256)
        elif kind == 3:
            lines = bytes(stream).split(b"\r\n")
            line = rng.randrange(len(lines))
            lines.insert(line, rng.choice(PIECES).strip(b"\r\n") if rng.random() < 0.5 else lines[line])
            stream = bytearray(b"\r\n".join(lines))
        else:
            stream[at:at + rng.randint(1, 3)] = rng.choice(PIECES)
        if not stream:
            return bytes(rng.choice(plain))
    return head + bytes(stream)


class AgainstH11(unittest.TestCase):
    def compare(self, stream, ours):
        """How many requests both found; fails if ours has one that h11 reads in another way."""
        theirs = by_h11(stream)
        count = 0
        for number, request in enumerate(ours["requests"]):
            if number and not ours["requests"][number - 1]["keep_alive"]:
                return count  # the connection has ended there
            self.assertLess(number, len(theirs), f"h11 does not find request {number} in {stream!r}; ours: {ours}")
            head, body = theirs[number]
            headers = [(base64.b64decode(name).lower(), base64.b64decode(value)) for name, value in request["headers"]]
            # The one value that h11 writes anew.
            headers = [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in headers]
            self.assertEqual(request["method"].encode(), head.method, stream)
            self.assertEqual((request["path"].encode(), request["query"].encode()), target_of(head), stream)
            self.assertEqual(f"1.{request['minor']}".encode(), head.http_version, stream)
            self.assertEqual(headers, [(bytes(name), bytes(value)) for name, value in head.headers], stream)
            self.assertEqual(base64.b64decode(request["body"]), body, stream)
            count += 1
        return count

    def test_plain_requests_are_read_alike(self):
        for stream, ours in zip(PLAIN, by_ours(PLAIN)):
            with self.subTest(stream=stream):
                self.assertEqual(ours["status"], 0, ours["why"])
                self.assertEqual(self.compare(stream, ours), len(by_h11(stream)))
                self.assertEqual(len(ours["requests"]), len(by_h11(stream)))

    def test_damaged_requests_are_refused_or_read_alike(self):
        rng = random.Random(20260101)
        streams = [damaged(rng) for _ in range(20_000)]
        both = refused = 0
        for stream, ours in zip(streams, by_ours(streams)):
            both += self.compare(stream, ours)
            refused += ours["status"] != 0
        # The damage leaves enough whole, and breaks enough, for the comparison to mean something.
        self.assertGreater(both, 5_000)
        self.assertGreater(refused, 5_000)

    def compare_answer(self, stream, ours):
        """True if ours has accepted it, which is as h11 reads it then."""
        if not ours["status"]:
            return False
        theirs = answer_by_h11(stream)
        self.assertIsNotNone(theirs, f"h11 does not read {stream!r}; ours: {ours}")
        head, body = theirs
        self.assertEqual(ours["status"], head.status_code, stream)
        self.assertEqual(base64.b64decode(ours["body"]), body, stream)
        theirs = [(bytes(name), bytes(value)) for name, value in head.headers]
        content_type = next((value for name, value in theirs if name == b"content-type"), b"")
        self.assertEqual(base64.b64decode(ours["content_type"]), content_type, stream)
        if content_type:
            theirs.remove((b"content-type", content_type))
        headers = [(base64.b64decode(name).lower(), base64.b64decode(value)) for name, value in ours["headers"]]
        headers = [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in headers]
        self.assertEqual([one for one in headers if one != (b"content-type", b"")], [one for one in theirs if one != (b"content-type", b"")],
                         stream)
        return True

    def test_plain_answers_are_read_alike(self):
        for stream, ours in zip(PLAIN_ANSWERS, by_ours(PLAIN_ANSWERS, "answers")):
            with self.subTest(stream=stream):
                self.assertTrue(self.compare_answer(stream, ours), ours)
                self.assertEqual(ours["rest"], "")

    def test_damaged_answers_are_refused_or_read_alike(self):
        rng = random.Random(20260102)
        streams = [damaged(rng, [one], 1, one.index(b" ") + 1) for one in (rng.choice(PLAIN_ANSWERS) for _ in range(20_000))]
        both = sum(self.compare_answer(stream, ours) for stream, ours in zip(streams, by_ours(streams, "answers")))
        self.assertGreater(both, 3_000)
        self.assertGreater(len(streams) - both, 5_000)


if __name__ == "__main__":
    unittest.main()
