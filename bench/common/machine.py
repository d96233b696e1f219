"""The machine under measurement: what it is, its file system, its disk's sync, CPU time used."""
import os
import re
import resource
import time
from pathlib import Path

from common import ROOT

TICKS = os.sysconf("SC_CLK_TCK")
NOT_A_DISK = {"tmpfs", "ramfs", "devtmpfs"}


def file_system(folder):
    """(type, mount options) of the file system that holds the folder."""
    where, best = os.path.realpath(folder), ("", "", "")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, options = line.split()[:4]
        mount = mount.encode().decode("unicode_escape")
        inside = where == mount or where.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind, options)
    return best[1], best[2]


def data_folder(given=None):
    """The folder that all data of a run goes to, on a disk: a sync of a file system in memory costs and keeps nothing."""
    folder = Path(given) if given else ROOT / "build" / "bench-data"
    kind, _ = file_system(folder)
    if kind in NOT_A_DISK:
        raise SystemExit(f"{folder}: is on {kind}, where a sync does nothing; give --folder DIR on a disk")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sync_probe(folder, rounds=1000, size=4096):
    """p50 and p99 in us of a write of 4 KiB and its fdatasync, into a file that was filled with zeros before."""
    path = Path(folder) / "sync-probe"
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
    try:
        os.write(fd, bytes(rounds * size))
        os.fsync(fd)
        block, took = os.urandom(size), []
        for n in range(rounds):
            began = time.perf_counter_ns()
            os.pwrite(fd, block, n * size)
            os.fdatasync(fd)
            took.append((time.perf_counter_ns() - began) / 1000)
    finally:
        os.close(fd)
        path.unlink()
    took.sort()
    return {"p50_us": round(took[len(took) // 2]), "p99_us": round(took[len(took) * 99 // 100])}


def fill_page_cache(folder, keep_bytes=2 << 30):
    """Fills free memory with pages of a file, as it is on a machine that has run for a while.

    On a virtual machine the host gives memory when it is first used and takes back what is free, and a page that has to come
    from it costs several microseconds: whoever writes files then pays for the host. Pages of a file are taken over instead."""
    free = re.search(r"^MemFree: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    size = max(int(free.group(1)) * 1024 - keep_bytes, 0)
    with open(Path(folder) / "page-cache", "w+b") as file:  # has no blocks: nothing is read from the disk
        file.truncate(size)
        while file.read(1 << 20):
            pass


def wait_until_calm(folder, deadline_s=600, calm_ms=20, rounds=20):
    """Until the disk has done what was asked of it before: gigabytes that were removed keep a journal busy for minutes."""
    path, calm, end = Path(folder) / "calm-probe", 0, time.monotonic() + deadline_s
    while calm < rounds:
        os.sync()
        began = time.monotonic()
        with open(path, "wb") as file:
            os.fsync(file.fileno())
        path.unlink()
        now = time.monotonic()
        calm = calm + 1 if now - began < calm_ms / 1000 else 0
        if now > end:
            raise AssertionError(f"{folder}: the disk is not calm after {deadline_s} s")


def description():
    """One line without names of hosts or folders."""
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), os.uname().machine)
    memory = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()
                  if line.startswith("MemTotal"))
    system = next((line.split("=", 1)[1].strip('"') for line in Path("/etc/os-release").read_text().splitlines()
                   if line.startswith("PRETTY_NAME")), "Linux")
    return f"{os.cpu_count()} x {model}, {memory / 2**20:.0f} GiB, {system}, Linux {os.uname().release}"


class Cpu:
    """CPU seconds in user and system mode."""

    def __init__(self, user=0.0, system=0.0):
        self.user, self.system = user, system

    @property
    def total(self):
        return self.user + self.system

    def __add__(self, other):
        return Cpu(self.user + other.user, self.system + other.system)

    def __sub__(self, other):
        return Cpu(self.user - other.user, self.system - other.system)


def cpu_of(pids):
    """Of living processes since they began, all threads."""
    total = Cpu()
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += Cpu(int(fields[11]) / TICKS, int(fields[12]) / TICKS)
    return total


def cpu_of_machine():
    """Everything that was not idle since boot, interrupts as system time."""
    user, nice, system, _idle, _wait, irq, soft = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8])
    return Cpu((user + nice) / TICKS, (system + irq + soft) / TICKS)


def cpu_of_clients():
    """This program and the children that it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cpu(own.ru_utime + children.ru_utime, own.ru_stime + children.ru_stime)


def resident_mib(pids):
    kib = 0
    for pid in pids:
        kib += next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                    if line.startswith("VmRSS"))
    return kib / 1024


class Meter:
    """CPU spent between its making and end(): by the brokers, and by the whole machine less the clients."""

    def __init__(self, pids):
        self.pids = pids
        self._brokers, self._machine, self._clients = cpu_of(pids), cpu_of_machine(), cpu_of_clients()

    def end(self):
        self.broker = cpu_of(self.pids) - self._brokers
        self.rest = (cpu_of_machine() - self._machine) - (cpu_of_clients() - self._clients)
        return self
