"""The harness itself: processes, deadlines, and real Kafka (about 15 seconds; fetched on the first run)."""
import signal
import sys
import unittest

from lib import kafka, ports, proc
from lib.waiting import poll_until


class Processes(unittest.TestCase):
    def test_a_line_is_waited_for_and_sigterm_ends_the_process(self):
        with proc.Process([sys.executable, "-u", "-c", "print('ready 7'); import signal; signal.pause()"]) as p:
            self.assertEqual(p.wait_for_line(r"ready (\d+)", 10).group(1), "7")
            self.assertEqual(p.terminate(10), -signal.SIGTERM)

    def test_a_process_that_ends_without_the_line_is_said_at_once_with_its_output(self):
        with proc.Process([sys.executable, "-c", "print('another line'); raise SystemExit(3)"]) as p:
            with self.assertRaisesRegex(AssertionError, "ended with 3(.|\n)*another line"):
                p.wait_for_line("ready", 30)

    def test_leaving_ends_the_children_of_a_process_too(self):
        script = "import subprocess, signal; c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True); signal.pause()"
        with proc.Process([sys.executable, "-c", script]) as p:
            child = int(p.wait_for_line(r"^(\d+)$", 10).group(1))
        poll_until(lambda: not alive(child), 10, "the end of the child")

    def test_a_condition_that_stays_false_fails_at_its_deadline(self):
        with self.assertRaisesRegex(AssertionError, "the moon: not within 0.1 s"):
            poll_until(lambda: False, 0.1, "the moon")

    def test_free_ports_differ_and_are_free(self):
        picked = ports.free_ports(8)
        self.assertEqual(len(set(picked)), 8)
        self.assertFalse(any(ports.is_open(p) for p in picked))


class RealKafka(unittest.TestCase):
    def test_kcat_produces_and_consumes_on_a_topic_that_kafkas_own_tool_made(self):
        with kafka.Kafka(heap="512m") as broker:
            kafka.tool("TopicCommand", "--bootstrap-server", broker.address, "--create", "--topic", "t", "--partitions", "2")
            sent = [f"k{i}:value {i}" for i in range(100)]
            proc.run(["kcat", "-P", "-b", broker.address, "-t", "t", "-K", ":"], stdin="\n".join(sent) + "\n")
            read = proc.run(["kcat", "-C", "-b", broker.address, "-t", "t", "-K", ":", "-e", "-q"]).out.splitlines()
            self.assertEqual(sorted(read), sorted(sent))
            described = kafka.tool("TopicCommand", "--bootstrap-server", broker.address, "--describe", "--topic", "t").out
            self.assertIn("PartitionCount: 2", described)
        self.assertIsNotNone(broker.processes[0].exit_code)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
