"""A full disk: writes are refused with the right error, reads go on, and the broker resumes by itself when there is room."""
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lib import wire
from lib.broker import WeirBroker
from lib.waiting import poll_until

KAFKA_STORAGE_ERROR = 56
SIZE = 96 * 1024 * 1024
VALUE = 500_000


class SmallDisk:
    """An ext4 file system of its own in a file. Skips the test where mounting is not allowed. Use it in `with`."""

    def __init__(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name) / "disk"
        self.image = Path(self.temporary.name) / "image"

    def __enter__(self):
        self.folder.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(SIZE)
        try:
            subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True, capture_output=True)
            subprocess.run(["mount", "-o", "loop", self.image, self.folder], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as problem:
            self.temporary.cleanup()
            raise unittest.SkipTest(f"no file system of its own can be mounted here: {problem}")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=True, capture_output=True)
        self.temporary.cleanup()

    def free(self):
        info = os.statvfs(self.folder)
        return info.f_bavail * info.f_frsize

    def fill(self, leave):
        """Takes all but `leave` bytes, in a file that can be removed again."""
        ballast = self.folder / "ballast"
        with open(ballast, "wb", buffering=0) as out:
            os.posix_fallocate(out.fileno(), 0, max(self.free() - leave, 1))
        return ballast


class DiskFull(unittest.TestCase):
    def setUp(self):
        self.acknowledged, self.number = {}, 0
        self.timestamp = int(time.time() * 1000)

    def test_a_full_disk_refuses_writes_serves_reads_resumes_by_itself_and_loses_nothing(self):
        with SmallDisk() as disk:
            data = disk.folder / "data"
            settings = ["--set", "weir.wal.max.bytes=8388608", "--set", "log.segment.bytes=1048576"]
            with WeirBroker(data, settings) as broker, wire.RawClient(broker.port) as client:
                client.create_topic("t")
                self.assertEqual(self.produce(client), 0)
                ballast = disk.fill(leave=30 * 1024 * 1024)
                refused = self.produce_until_refused(client)
                self.assertEqual(refused, KAFKA_STORAGE_ERROR)
                self.assertGreater(len(self.acknowledged), 10)

                self.assert_readable(client)
                with wire.RawClient(broker.port) as other:  # newcomers are served, too
                    self.assertEqual(other.fetch("t", 0)[0], 0)
                self.assertEqual(self.produce(client), KAFKA_STORAGE_ERROR, "still full")
                broker.wait_for_log("(?i)no space left|disk is full|disk_full")

                ballast.unlink()
                # The first may still be refused: what could not be emptied is tried again within a second.
                poll_until(lambda: not any(self.produce(client) for _ in range(10)), 20, "writes after room was made")
                self.assert_readable(client)
                self.assertEqual(broker.terminate(), 0)
            with WeirBroker(data, settings) as broker, wire.RawClient(broker.port) as client:
                self.assert_readable(client)

    def test_a_kill_while_the_disk_is_full_loses_nothing_and_the_start_says_what_is_wrong_or_succeeds(self):
        with SmallDisk() as disk:
            data = disk.folder / "data"
            settings = ["--set", "weir.wal.max.bytes=8388608", "--set", "log.segment.bytes=1048576"]
            with WeirBroker(data, settings) as broker, wire.RawClient(broker.port) as client:
                client.create_topic("t")
                ballast = disk.fill(leave=30 * 1024 * 1024)
                self.assertEqual(self.produce_until_refused(client), KAFKA_STORAGE_ERROR)
                broker.kill()
            try:
                with WeirBroker(data, settings) as broker, wire.RawClient(broker.port) as client:
                    self.assert_readable(client)
            except AssertionError as problem:
                self.assertRegex(str(problem), "(?i)no space left|disk is full|disk_full")
            ballast.unlink()
            with WeirBroker(data, settings) as broker, wire.RawClient(broker.port) as client:
                self.assert_readable(client)
                self.assertEqual(self.produce(client), 0)

    def produce(self, client):
        """Sends one large record and notes it if it was acknowledged; the error code."""
        value = bytes(VALUE) + b"%08d" % self.number
        self.number += 1
        error, offset = client.produce("t", wire.record_batch([value], timestamp=self.timestamp))
        if error == 0:
            self.assertNotIn(offset, self.acknowledged)
            self.acknowledged[offset] = value[-8:]
        return error

    def produce_until_refused(self, client):
        for _ in range(4 * SIZE // VALUE):
            error = self.produce(client)
            if error:
                return error
        self.fail("the disk never became full")

    def assert_readable(self, client):
        """Everything that was acknowledged is at its offset, and nothing else."""
        read = {offset: value[-8:] for offset, value in wire.read_all(client, "t")}
        self.assertEqual(read, self.acknowledged)
