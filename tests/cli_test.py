"""The program as a shell sees it: exit codes, streams, pipes, completion, the man page, topics and records."""
import base64
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

from lib import broker, ports, proc
from lib.broker import WeirBroker, weir
from lib.waiting import poll_until

BASH = """
source <("$1" completion bash)
shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_weir
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words):
    """What bash would offer for the last of these words."""
    done = proc.run(["bash", "--norc", "-c", BASH, "bash", broker.program(), *words])
    return [line for line in done.out.splitlines() if line]


class Program(unittest.TestCase):
    def test_data_goes_to_standard_output_and_errors_to_standard_error_with_their_exit_codes(self):
        self.assertEqual(json.loads(weir("version", "-o", "json").out)[0]["kafka"], "4.3.1")
        wrong = weir("verison", expect=2)
        self.assertEqual(wrong.out, "")
        self.assertIn("did you mean version?", wrong.err)
        missing = weir("explain", "no_such_thing", expect=5)
        self.assertIn("code: WEIR-1002 not_found", missing.err)

    def test_every_error_can_be_explained_from_what_was_printed(self):
        rows = [json.loads(line) for line in weir("explain", "-o", "jsonl").out.splitlines()]
        self.assertGreater(len(rows), 150)
        for code in ("WEIR-0003", "WEIR-1008"):
            self.assertIn(code, weir("explain", code).out)

    def test_rows_are_chosen_and_ordered_by_expressions(self):
        everything = [json.loads(line) for line in weir("explain", "-o", "jsonl").out.splitlines()]
        wanted = "name ~ 'topic' and (retriable or exit = 5)"
        rows = weir("explain", "-o", "jsonl", "--filter", wanted, "--sort", "-name").out.splitlines()
        names = [row["name"] for row in everything if "topic" in row["name"] and (row["retriable"] or row["exit"] == 5)]
        self.assertGreater(len(names), 1)
        self.assertEqual([json.loads(line)["name"] for line in rows], sorted(names, reverse=True))
        self.assertEqual(weir("explain", "-o", "json", "--filter", "name = 'nothing'").out, "[]\n")
        self.assertIn("did you mean name?", weir("explain", "--filter", "nam = 'x'", expect=2).err)

    def test_nothing_is_coloured_where_there_is_no_terminal(self):
        self.assertNotIn("\x1b", weir("version").out + weir("nonsense", expect=2).err)

    def test_a_reader_that_goes_away_ends_the_program_quietly(self):
        done = proc.run(["bash", "-c", '"$1" explain -o jsonl | head -n 1; echo "${PIPESTATUS[0]}"', "bash", broker.program()])
        self.assertEqual(done.out.splitlines()[-1], "0")
        self.assertEqual(done.err, "")

    def test_man_accepts_the_man_page(self):
        page = weir("help", "--man").out
        if subprocess.run(["sh", "-c", "command -v groff"], capture_output=True).returncode == 0:
            done = proc.run(["groff", "-man", "-Tutf8", "-ww"], stdin=page)
            self.assertEqual(done.err, "")
        self.assertTrue(page.startswith(".TH WEIR 1"))


class Completion(unittest.TestCase):
    def test_bash_completes_commands_options_and_values(self):
        self.assertEqual(completed("weir", "ver"), ["version"])
        self.assertEqual(completed("weir", "version", "--out"), ["--output"])
        self.assertEqual(completed("weir", "version", "--output", "js"), ["json", "jsonl"])
        self.assertEqual(completed("weir", "version", "--output", "=", "ya"), ["yaml"])
        self.assertEqual(completed("weir", "version", "x"), [])

    def test_bash_completes_topics_and_records(self):
        self.assertEqual(completed("weir", "topic", ""), ["list", "describe", "create", "alter", "delete"])
        self.assertEqual(completed("weir", "topic", "delete", "--y"), ["--yes"])
        self.assertEqual(completed("weir", "consume", "--output", "ke"), ["key-value"])
        self.assertEqual(completed("weir", "produce", "--compression", "s"), ["snappy"])

    def test_the_man_page_has_every_command(self):
        page = weir("help", "--man").out
        for name in ("topic list", "topic describe", "topic create", "topic alter", "topic delete", "produce", "consume"):
            self.assertIn(f"weir {name}", page)


class WithBroker(unittest.TestCase):
    """One broker for all tests of a class; each test makes its own topics."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="weir-cli-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        # The broker reads WEIR_* as settings; this one is not for it.
        cls.broker = WeirBroker(cls.folder, env={"WEIR_BOOTSTRAP": "127.0.0.1:1"})
        cls.addClassCleanup(cls.broker.kill)
        cls.env = {"WEIR_BOOTSTRAP": cls.broker.address}

    def weir(self, *args, **kwargs):
        return weir(*args, env=self.env, **kwargs)

    def weir_bytes(self, *args, stdin=b""):
        """Standard output as bytes."""
        done = subprocess.run([broker.program(), *args], input=stdin, capture_output=True, timeout=60,
                              env=dict(os.environ, **self.env))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def start(self, *args):
        process = proc.Process([broker.program(), *args], env=self.env)
        self.addCleanup(process.kill)
        return process

    def create(self, name, partitions=1, *args):
        self.weir("topic", "create", name, "--partitions", partitions, *args)

    def records(self, topic, *args):
        """What consume says of the records, as JSON."""
        return [json.loads(line) for line in self.weir("consume", topic, "-o", "jsonl", *args).out.split("\n")[:-1]]

    def values(self, topic, *args):
        return self.weir("consume", topic, "-o", "value", *args).out.split("\n")[:-1]

    def describe(self, topic, *args):
        return json.loads(self.weir("topic", "describe", topic, "-o", "json", *args).out)[0]


class Topics(WithBroker):
    def test_a_topic_is_made_listed_and_described_in_every_format(self):
        made = self.weir("topic", "create", "all.formats", "--partitions", "3", "--set", "retention.ms=7d")
        self.assertIn("+ topic all.formats: 3 partitions, retention.ms=604800000", made.err)
        self.assertEqual(made.out.split(), ["NAME", "RESULT", "all.formats", "created"])
        for output, expected in (("table", "all.formats"), ("json", '"name":"all.formats","partitions":3'),
                                 ("jsonl", '{"name":"all.formats","partitions":3,'),
                                 ("yaml", "- name: all.formats\n  partitions: 3"), ("name", "all.formats\n"), ("help", "partitions")):
            self.assertIn(expected, self.weir("topic", "list", "-o", output).out)
        page = self.weir("topic", "describe", "all.formats").out
        self.assertIn("all.formats: 3 partitions, 0 records", page)
        self.assertRegex(page, r"retention.ms +604800000 +topic")
        topic = self.describe("all.formats")
        self.assertEqual([p["partition"] for p in topic["partitions"]], [0, 1, 2])
        self.assertEqual({(p["start"], p["end"]) for p in topic["partitions"]}, {(0, 0)})
        self.assertEqual(topic["settings"], [{"name": "retention.ms", "value": "604800000", "source": "topic"}])
        everything = {s["name"]: s["source"] for s in self.describe("all.formats", "--all")["settings"]}
        self.assertEqual(everything["segment.bytes"], "default")

    def test_names_go_through_a_pipe(self):
        self.create("pipe.one")
        self.create("pipe.two")
        script = '"$1" topic list -o name | grep ^pipe | xargs "$1" topic describe -o name'
        done = proc.run(["bash", "-c", script, "bash", broker.program()], env=self.env)
        self.assertEqual(done.out.split(), ["pipe.one", "pipe.two"])

    def test_a_topic_that_exists_is_an_error_unless_that_was_said(self):
        self.create("twice", 2)
        again = self.weir("topic", "create", "twice", expect=1)
        self.assertIn("topic_already_exists", again.err)
        self.assertEqual(again.out, "")
        done = self.weir("topic", "create", "twice", "twice.new", "--partitions", "5", "--if-not-exists", "-o", "jsonl")
        self.assertEqual([json.loads(line) for line in done.out.splitlines()],
                         [{"name": "twice", "result": "exists"}, {"name": "twice.new", "result": "created"}])
        self.assertEqual(len(self.describe("twice")["partitions"]), 2)

    def test_a_dry_run_changes_nothing_and_still_finds_mistakes(self):
        done = self.weir("topic", "create", "dry", "--partitions", "2", "--dry-run")
        self.assertIn("+ topic dry: 2 partitions", done.err)
        self.assertNotIn("dry", self.weir("topic", "list", "-o", "name").out.split())
        self.weir("topic", "create", "no/good", "--dry-run", expect=1)
        self.weir("topic", "create", "dry", "--set", "no.such.setting=1", "--dry-run", expect=1)
        self.weir("topic", "create", "dry", "--set", "retention.ms=soon", "--dry-run", expect=1)

    def test_an_unknown_topic_is_exit_code_5_with_a_suggestion(self):
        self.create("payments")
        for command in (["topic", "describe", "paymnets"], ["topic", "alter", "paymnets", "--partitions", "3"],
                        ["topic", "delete", "paymnets", "--yes"], ["consume", "paymnets"], ["produce", "paymnets"]):
            failed = self.weir(*command, expect=5)
            self.assertIn("paymnets: no such topic; did you mean payments?", failed.err)
            self.assertIn("WEIR-0003", failed.err)
            self.assertEqual(failed.out, "")
        self.assertNotIn("paymnets", self.weir("topic", "list", "-o", "name").out.split())

    def test_alter_says_what_changes_and_then_changes_it(self):
        self.create("altered", 2, "--set", "retention.ms=1000")
        change = ["topic", "alter", "altered", "--partitions", "4", "--set", "segment.bytes=64MiB", "--unset", "retention.ms"]
        dry = self.weir(*change, "--dry-run")
        for line in ("partitions 2 -> 4", "-> 67108864", "retention.ms 1000 -> default"):
            self.assertIn(line, dry.err)
        self.assertEqual(len(self.describe("altered")["partitions"]), 2)
        self.assertIn("altered", self.weir(*change).out)
        topic = self.describe("altered")
        self.assertEqual(len(topic["partitions"]), 4)
        self.assertEqual(topic["settings"], [{"name": "segment.bytes", "value": "67108864", "source": "topic"}])
        self.assertIn("nothing to change", self.weir(*change).err)
        self.assertIn("they can only become more", self.weir("topic", "alter", "altered", "--partitions", "3", expect=1).err)
        self.assertIn("did you mean retention.ms?",
                      self.weir("topic", "alter", "altered", "--set", "retention.msx=1", expect=1).err)

    def test_delete_says_what_is_lost_and_needs_consent(self):
        self.create("doomed", 2)
        self.weir("produce", "doomed", stdin="1\n2\n3\n")
        for args, code in (([], 3), (["--dry-run"], 0)):
            left = self.weir("topic", "delete", "doomed", *args, expect=code)
            self.assertIn("- topic doomed: 2 partitions, 3 records", left.err)
            self.assertEqual(left.out, "")
        self.assertIn("doomed", self.weir("topic", "list", "-o", "name").out.split())
        done = self.weir("topic", "delete", "doomed", "--yes", "-o", "json")
        self.assertEqual(json.loads(done.out), [{"name": "doomed", "result": "deleted"}])
        self.weir("topic", "describe", "doomed", expect=5)
        self.weir("topic", "delete", "doomed", "--if-exists", "--yes")

    def test_on_a_terminal_the_name_must_be_typed_to_delete(self):
        self.create("typed")
        self.assertEqual(self.type_at_delete("typed", b"tpyed\n"), 3)
        self.weir("topic", "describe", "typed")
        self.assertEqual(self.type_at_delete("typed", b"typed\n"), 0)
        self.weir("topic", "describe", "typed", expect=5)

    def type_at_delete(self, topic, answer):
        keyboard, terminal = pty.openpty()
        try:
            process = subprocess.Popen([broker.program(), "topic", "delete", topic], stdin=terminal, stdout=subprocess.DEVNULL,
                                       stderr=terminal, env=dict(os.environ, **self.env), start_new_session=True)
            os.write(keyboard, answer)
            return process.wait(30)
        finally:
            os.close(keyboard)
            os.close(terminal)

    def test_a_broker_that_is_not_there_is_said_with_its_address(self):
        address = f"127.0.0.1:{ports.free_port()}"
        failed = weir("topic", "list", "--bootstrap", address, "--timeout", "1s", expect=None)
        self.assertIn(failed.code, (1, 6))
        self.assertIn(address, failed.err)
        self.assertEqual(failed.out, "")


def text_or_base64(data):
    """Bytes as a record in JSON has them."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def random_bytes(rng):
    choice = rng.randrange(6)
    if choice == 0:
        return None
    if choice == 1:
        return b""
    if choice == 2:
        return rng.choice(["grün", "日本", "tab\tnewline\nquote\"\\", '{"base64": "AA=="}', "\x00\x7f"]).encode()
    return rng.randbytes(rng.randrange(1, 200))


def random_record(rng, partitions):
    return {"partition": rng.randrange(partitions), "timestamp": rng.randrange(1_300_000_000_000, 1_700_000_000_000),
            "key": text_or_base64(random_bytes(rng)), "value": text_or_base64(random_bytes(rng)),
            "headers": [{"key": text_or_base64(random_bytes(rng) or b"name"), "value": text_or_base64(random_bytes(rng))}
                        for _ in range(rng.randrange(4))]}


def by_partition(records):
    """The records of each partition in the order in which they came, without what a copy changes."""
    found = {}
    for record in records:
        found.setdefault(record["partition"], []).append({k: v for k, v in record.items() if k not in ("topic", "offset")})
    return found


class Records(WithBroker):
    def test_values_are_lines(self):
        self.create("values")
        done = self.weir("produce", "values", stdin="one\n\ntwo  words\tand a tab\nlast without newline")
        self.assertEqual(done.out, "")
        self.assertIn("sent: 4 records", done.err)
        self.assertEqual(self.values("values"), ["one", "", "two  words\tand a tab", "last without newline"])
        records = self.records("values")
        self.assertEqual([r["offset"] for r in records], [0, 1, 2, 3])
        self.assertEqual([r["value"] for r in records][1], "")
        self.assertTrue(all(r["key"] is None for r in records))

    def test_bytes_of_a_line_are_kept(self):
        self.create("raw")
        lines = b"\xff\xfe\x00\r\n\x80\n"
        self.weir_bytes("produce", "raw", stdin=lines)
        self.assertEqual(self.weir_bytes("consume", "raw", "-o", "value"), lines)
        self.assertEqual(self.records("raw")[1]["value"], {"base64": "gA=="})

    def test_keys_and_values_have_a_separator_and_a_text_for_null(self):
        self.create("pairs")
        self.weir("produce", "pairs", "--format", "key-value", "--separator", "::", "--null", "NULL", "--header", "source=shop",
                  "--header", "source=test", stdin="a::1\nb::2::3\nNULL::\nc::NULL\n")
        records = self.records("pairs")
        self.assertEqual([(r["key"], r["value"]) for r in records], [("a", "1"), ("b", "2::3"), (None, ""), ("c", None)])
        self.assertEqual([(h["key"], h["value"]) for h in records[0]["headers"]], [("source", "shop"), ("source", "test")])
        self.assertEqual(self.weir("consume", "pairs", "-o", "key-value").out, "a\t1\nb\t2::3\n\t\nc\t\n")
        self.assertEqual(self.weir("consume", "pairs", "-o", "key-value", "--separator", "=", "--null", "-").out,
                         "a=1\nb=2::3\n-=\nc=-\n")

    def test_a_key_for_all_goes_to_one_partition_and_a_partition_can_be_chosen(self):
        self.create("keyed", 4)
        self.weir("produce", "keyed", "--key", "k", stdin="1\n2\n3\n")
        self.assertEqual(len({(r["partition"], r["key"]) for r in self.records("keyed")}), 1)
        self.weir("produce", "keyed", "--partition", "2", stdin="x\n")
        self.assertIn("x", self.values("keyed", "--partition", "2"))

    def test_jsonl_loses_nothing(self):
        rng = random.Random(3)
        self.create("original", 3)
        self.create("copy", 3)
        sent = [random_record(rng, 3) for _ in range(3000)]
        lines = "".join(json.dumps(r) + "\n" for r in sent)
        self.weir("produce", "original", "--format", "jsonl", "--compression", "lz4", stdin=lines)
        read = self.records("original")
        self.assertEqual(by_partition(read), by_partition(sent))
        self.assertEqual({r["topic"] for r in read}, {"original"})
        script = '"$1" consume original -o jsonl | "$1" produce copy --format jsonl; echo "${PIPESTATUS[@]}"'
        done = proc.run(["bash", "-c", script, "bash", broker.program()], env=self.env)
        self.assertEqual(done.out.strip(), "0 0", done.err)
        self.assertEqual(by_partition(self.records("copy")), by_partition(sent))

    def test_records_that_name_their_topic_need_none(self):
        self.create("named.a")
        self.create("named.b")
        self.weir("produce", "--format", "jsonl", stdin='{"topic":"named.a","value":"1"}\n\n'
                  '{"topic":"named.b","value":"2","offset":99}\n{"topic":"named.a","value":"3"}\n')
        self.assertEqual((self.values("named.a"), self.values("named.b")), (["1", "3"], ["2"]))
        self.assertIn("line 1: no \"topic\"", self.weir("produce", "--format", "jsonl", stdin='{"value":"1"}\n', expect=1).err)
        both = [json.loads(line) for line in self.weir("consume", "named.a", "named.b", "-o", "jsonl").out.splitlines()]
        self.assertEqual(sorted((r["topic"], r["value"]) for r in both), [("named.a", "1"), ("named.a", "3"), ("named.b", "2")])

    def test_every_output_format_shows_the_record(self):
        self.create("shown")
        record = {"timestamp": 1357034400250, "key": "k", "value": "v", "headers": [{"key": "h", "value": None}]}
        self.weir("produce", "shown", "--format", "jsonl", stdin=json.dumps(record) + "\n")
        whole = dict(record, topic="shown", partition=0, offset=0)
        self.assertEqual(json.loads(self.weir("consume", "shown", "-o", "json").out), [whole])
        self.assertEqual(self.records("shown"), [whole])
        self.assertEqual(self.weir("consume", "shown").out.splitlines()[1].split(),
                         ["shown", "0", "0", "2013-01-01T10:00:00.250Z", "k", "v"])
        self.assertIn("  key: k\n  value: v\n", self.weir("consume", "shown", "-o", "yaml").out)
        self.assertEqual(self.weir("consume", "shown", "-o", "name").out, "shown-0@0\n")
        chosen = self.weir("consume", "shown", "--columns", "value,offset", "-o", "jsonl")
        self.assertEqual(chosen.out, '{"value":"v","offset":0}\n')
        self.assertEqual(json.loads(self.weir("consume", "shown", "--from", "latest", "-o", "json").out), [])

    def test_from_to_and_count_choose_what_is_read(self):
        self.create("range")
        start = 1_700_000_000_000
        self.weir("produce", "range", "--format", "jsonl",
                  stdin="".join(json.dumps({"timestamp": start + i * 1000, "value": str(i)}) + "\n" for i in range(20)))
        numbers = lambda *args: [int(v) for v in self.values("range", *args)]
        self.assertEqual(numbers(), list(range(20)))
        self.assertEqual(numbers("--from", "17"), [17, 18, 19])
        self.assertEqual(numbers("--from", "-2"), [18, 19])
        self.assertEqual(numbers("--from", "-999", "--count", "3"), [0, 1, 2])
        self.assertEqual(numbers("--from", "5", "--to", "8"), [5, 6, 7])
        self.assertEqual(numbers("--to", "-18"), [0, 1])
        self.assertEqual(numbers("--from", "99"), [])
        self.assertEqual(numbers("--from", "2023-11-14T22:13:30Z", "--to", "2023-11-14T22:13:33"), [10, 11, 12])
        self.assertEqual(numbers("--from", "2023-11-14T22:13:29.500Z", "--count", "1"), [10])
        self.assertEqual(numbers("--from", "1h"), [])
        self.assertEqual(numbers("--count", "0"), [])
        self.weir("consume", "range", "--partition", "1", expect=5)

    def test_follow_goes_on_until_it_is_interrupted(self):
        self.create("followed")
        self.weir("produce", "followed", stdin="before\n")
        reader = self.start("consume", "followed", "--follow", "-o", "value")
        reader.wait_for_line("^before$", 30)
        self.weir("produce", "followed", stdin="after\n")
        reader.wait_for_line("^after$", 30)
        reader.signal(signal.SIGINT)
        self.assertEqual(reader.wait(30), 0)
        self.assertEqual(reader.output(), "before\nafter")
        counted = self.start("consume", "followed", "--follow", "--from", "latest", "--count", "1", "-o", "jsonl")
        poll_until(lambda: self.weir("produce", "followed", stdin="more\n") and counted.exit_code is not None, 30)
        self.assertEqual(counted.wait(30), 0)
        self.assertEqual(json.loads(counted.output())["value"], "more")

    def test_a_record_leaves_as_soon_as_its_line_is_there_and_an_interrupt_loses_none(self):
        self.create("typed")
        command = [broker.program(), "produce", "typed"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **self.env)) as writer:
            writer.stdin.write(b"one\ntwo\n")
            writer.stdin.flush()
            poll_until(lambda: self.values("typed") == ["one", "two"], 30)
            writer.send_signal(signal.SIGINT)
            self.assertEqual(writer.wait(30), 1)
            said = writer.stderr.read().decode()
        self.assertIn("sent: 2 records", said)
        self.assertIn("interrupted after line 2", said)

    def test_the_first_wrong_line_ends_it_and_what_came_before_is_sent(self):
        self.create("wrong", 2)
        lines = '{"value":"1"}\n{"value":"2"}\n{"vlaue":"3"}\n'
        failed = self.weir("produce", "wrong", "--format", "jsonl", stdin=lines, expect=1)
        self.assertIn('line 3: a record has no "vlaue"; did you mean value?', failed.err)
        self.assertEqual(sorted(self.values("wrong")), ["1", "2"])
        failed = self.weir("produce", "wrong", "--format", "key-value", stdin="a\tb\nc\n", expect=1)
        self.assertIn("line 2: no separator", failed.err)
        line = '{"value":"x","partition":7}\n'
        failed = self.weir("produce", "wrong", "--format", "jsonl", stdin=line, expect=5)
        self.assertIn("wrong has no partition 7, only 2 partitions", failed.err)
        self.weir("produce", "wrong", "--format", "jsonl", "--by-key", stdin=line)
        self.assertIn("x", self.values("wrong"))

    def test_a_record_that_the_broker_refuses_is_named_by_its_line(self):
        self.create("narrow", 2, "--set", "max.message.bytes=1000")
        lines = "".join(json.dumps({"partition": i, "value": "x" * size}) + "\n" for i, size in enumerate((10, 5000)))
        failed = self.weir("produce", "narrow", "--format", "jsonl", stdin=lines, expect=1)
        self.assertIn("line 2: ", failed.err)
        self.assertIn("message_too_large", failed.err)
        self.assertEqual(self.values("narrow"), ["x" * 10])

    def test_a_large_record_and_every_codec_and_acks_arrive(self):
        self.create("large", 1, "--set", "max.message.bytes=8MiB")
        big = "x" * 3_000_000
        self.weir("produce", "large", stdin=big + "\n")
        self.assertEqual(self.values("large"), [big])
        self.create("codecs")
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.weir("produce", "codecs", "--compression", codec, stdin=f"{codec}\n")
        for acks in ("all", "1", "0"):
            self.weir("produce", "codecs", "--acks", acks, "--no-idempotence", stdin=f"acks {acks}\n")
        expected = ["none", "gzip", "snappy", "lz4", "zstd", "acks all", "acks 1", "acks 0"]
        poll_until(lambda: self.values("codecs") == expected, 30)

    def test_input_may_be_a_file_or_a_pipe_by_name(self):
        self.create("files")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("from a file\n")
            file.flush()
            self.weir("produce", "files", "--file", file.name)
        script = '"$1" produce files --file <(echo from a pipe)'
        proc.run(["bash", "-c", script, "bash", broker.program()], env=self.env)
        self.assertEqual(self.values("files"), ["from a file", "from a pipe"])
        self.weir("produce", "files", "--file", "/no/such/file", expect=5)

    def test_a_reader_that_goes_away_ends_consume_quietly(self):
        self.create("cut")
        self.weir("produce", "cut", stdin="".join(f"{i:0200d}\n" for i in range(20000)))
        for output in ("value", "jsonl", "table", "json", "name"):
            script = f'"$1" consume cut -o {output} | head -n 1 >/dev/null; echo "${{PIPESTATUS[0]}}"'
            done = proc.run(["bash", "-c", script, "bash", broker.program()], env=self.env)
            self.assertEqual((done.out, done.err), ("0\n", ""), output)

    def test_kcat_reads_what_was_produced_and_its_records_are_consumed(self):
        if shutil.which("kcat") is None:
            self.skipTest("kcat is not installed")
        self.create("foreign")
        self.weir("produce", "foreign", "--format", "key-value", "--header", "h=1", stdin="k\tv\n")
        kcat = ["kcat", "-b", self.broker.address, "-t", "foreign"]
        self.assertEqual(proc.run([*kcat, "-C", "-e", "-q", "-f", "%k=%s %h\\n"]).out, "k=v h=1\n")
        proc.run([*kcat, "-P", "-K", "=", "-H", "x=y"], stdin="a=b\n")
        record = self.records("foreign")[1]
        self.assertEqual((record["key"], record["value"], record["headers"]), ("a", "b", [{"key": "x", "value": "y"}]))
