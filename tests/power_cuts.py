"""The power fails: a kernel of its own (user-mode Linux) runs the broker and its producers on a real ext4 or xfs, and is killed
with everything that it has not written. power_cuts.py CUTS

Afterwards the journal of the file system is replayed, the broker starts over what is there, and everything that was
acknowledged must be there, once, and no transaction in part. Needs root, and the packages user-mode-linux and xfsprogs.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib import messages, proc  # noqa: E402
from lib.broker import WeirBroker, program  # noqa: E402
from lib.waiting import poll_until  # noqa: E402
from mixed_kill_test import EACH, PARTITIONS, TOPIC, WRITERS, committed_records, judge  # noqa: E402

KINDS = ("ext4", "xfs")
SIZE = 400 << 20  # xfs takes no less than 300 MiB
PORT = 9092  # of the machine inside, which has a network of its own
DEADLINE_S = 120
ACKNOWLEDGED, COMMITTED = 150, 4  # at least, before a cut
SETTINGS = {"weir.wal.max.bytes": 4 << 20, "log.segment.bytes": 1 << 20, "num.partitions": PARTITIONS}
WORDS = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mkdir /run/out
mount -t hostfs none /run/out -o {out}
exec >/run/out/console 2>&1
ip link set lo up
mount -t {kind} /dev/ubda /mnt
{weir} broker --data /mnt/data --listen 127.0.0.1:{port} {words} >/run/out/broker 2>&1 &
while ! grep -q "listening on" /run/out/broker; do sleep 0.05; done
dd if=/dev/zero of=/mnt/unsynced-{number} bs=64k count=16 2>/dev/null
{python} {writers} 127.0.0.1:{port} {topic} {partitions} {first} {each} /run/out/journal-{number:04} sync
"""


class Machine:
    """A disk, and the kernel that runs on it until the power fails."""

    def __init__(self, folder, kind):
        self.kind, self.folder = kind, Path(folder) / kind
        self.out, self.image, self.mount = (self.folder / name for name in ("out", "image", "mount"))
        self.cuts, self.lost, self.told = 0, 0, Counter()
        for made in (self.folder, self.out, self.mount):
            made.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(SIZE)
        subprocess.run([f"mkfs.{kind}", "-q", self.image], check=True)

    def journals(self):
        """The whole lines of every journal, each split."""
        texts = [path.read_text(encoding="utf-8") for path in sorted(self.out.glob("journal-*"))]
        return [[line.split() for line in text[:text.rfind("\n") + 1].splitlines()] for text in texts]

    def cut(self):
        """Boots, lets it work, and cuts the power."""
        number, first = self.cuts, self.cuts * 2 * EACH
        self.cuts += 1
        init = self.folder / "init"
        init.write_text(INIT.format(out=self.out, kind=self.kind, weir=program(), port=PORT, words=" ".join(WORDS),
                                    python=sys.executable, writers=WRITERS, topic=TOPIC, partitions=PARTITIONS, first=first,
                                    each=EACH, number=number), encoding="utf-8")
        init.chmod(0o755)
        (self.out / "broker").write_text("")
        aims = {"a": ACKNOWLEDGED + random.randrange(ACKNOWLEDGED), "c": COMMITTED + random.randrange(2 * COMMITTED)}
        kernel = proc.Process(["linux.uml", "mem=256M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
                               f"init={init}", f"ubda={self.image}", "con=null", "con0=null,fd:1"])
        try:
            def far_enough():
                if kernel.exit_code is not None:
                    raise AssertionError(f"the kernel has ended: {self.said(kernel)}")
                journals = self.journals()
                counts = Counter(line[0] for line in journals[number]) if len(journals) > number else {}
                return all(counts.get(kind, 0) >= aim for kind, aim in aims.items())
            poll_until(far_enough, DEADLINE_S, f"{aims} in cut {number} of {self.kind}", every_s=0.05)
        except AssertionError as problem:
            raise AssertionError(f"{problem}: {self.said(kernel)}") from None
        finally:
            kernel.kill()  # the whole group: nothing is written any more
        return first

    def said(self, kernel):
        inside = [(self.out / name).read_text(encoding="utf-8")[-2000:] for name in ("console", "broker")
                  if (self.out / name).exists()]
        return "\n".join([kernel.output()[-2000:], *inside])

    def look(self, first):
        """What is wrong with what the disk holds."""
        subprocess.run(["mount", "-o", "loop", self.image, self.mount], check=True)
        try:
            # The proof of the proof: what nobody has synced is not there.
            unsynced = self.mount / f"unsynced-{self.cuts - 1}"
            self.lost += not unsynced.exists() or unsynced.stat().st_size < 1 << 20
            with WeirBroker(self.mount / "data", WORDS) as broker:
                end_transactions(broker, range(first + EACH, first + 2 * EACH))
                wrong, self.told = judge(committed_records(broker.address), self.journals())
                if self.cuts % 2:
                    broker.kill()  # and so the next recovery begins where this one has ended
            return wrong
        finally:
            subprocess.run(["umount", self.mount], check=True)


def end_transactions(broker, numbers):
    """Aborts what those producers have left open, so that readers see up to the end."""
    with messages.Client(broker.port) as client:
        for number in numbers:
            def owned(name=f"librdkafka-{number}"):
                code = client.ask("InitProducerId", 4, {"transactional_id": name, "transaction_timeout_ms": 60_000})["error_code"]
                if code not in (0, 14, 15, 16, 51):
                    raise AssertionError(f"{name}: error {code}")
                return code == 0
            poll_until(owned, DEADLINE_S, f"the end of what producer {number} has left")


def main():
    cuts = int(sys.argv[1])
    for tool in ("linux.uml", "mkfs.ext4", "mkfs.xfs"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: apt-get install --no-install-recommends user-mode-linux xfsprogs")
    if os.geteuid() != 0:
        sys.exit("mounting the disks of the machine inside needs root")
    counters = Counter()
    with tempfile.TemporaryDirectory() as folder:
        machines = [Machine(folder, kind) for kind in KINDS]
        for number in range(cuts):
            machine = machines[number % len(machines)]
            wrong = machine.look(machine.cut())
            counters[f"cuts_{machine.kind}"] += 1
            print(f"cut {number} of {machine.kind}: {dict(machine.told)}", flush=True)
            if wrong:
                sys.exit(f"{len(wrong)} broken promises: {wrong[:20]}")
        for machine in machines:
            counters.update(machine.told)
            counters["unsynced_files_lost"] += machine.lost
    if not counters["unsynced_files_lost"]:
        sys.exit("no cut has lost what was not synced: they prove nothing")
    print(f"counters: {json.dumps(counters)}")


if __name__ == "__main__":
    main()
