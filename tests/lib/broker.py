"""weir's own program and broker, as a user starts them."""
import os
import re
import signal
from pathlib import Path

from lib import proc, waiting

ROOT = Path(__file__).resolve().parent.parent.parent
START_DEADLINE_S = 30


def program():
    """The program under test: TESTED_WEIR, else that of the dev preset."""
    path = os.environ.get("TESTED_WEIR") or str(ROOT / "build" / "dev" / "src" / "main" / "weir")
    if not Path(path).exists():
        raise AssertionError(f"{path}: not built")
    return path


def helper(name):
    """A helper program of the tests, built beside the program under test."""
    path = Path(program()).parents[2] / "tests" / name
    if not path.exists():
        raise AssertionError(f"{path}: not built")
    return path


def weir(*args, **kwargs):
    """Runs `weir ARGS...` to its end; see proc.run for the keywords."""
    return proc.run([program(), *args], **kwargs)


class WeirBroker:
    """`weir broker` over a data folder, on a port that it picks. Use it in `with`."""

    def __init__(self, data_dir, args=(), env=None, prefix=(), port=0, listen=None):
        """`prefix`: a command to run it under, such as strace with its options. `listen`: HOST:PORT; "" leaves --listen out."""
        where = f"127.0.0.1:{port}" if listen is None else listen
        command = [*prefix, program(), "broker", "--data", data_dir, *(["--listen", where] if where else []), *args]
        self.process = proc.Process(command, env=env)
        self._prefixed = bool(prefix)
        try:
            match = self.process.wait_for_line(r"\blistening on ([\w.\-\[\]:]+):(\d+)\b", START_DEADLINE_S)
        except AssertionError:
            self.process.kill()
            raise
        self.port = int(match.group(2))
        self.address = f"{match.group(1)}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()

    def kill(self):
        """kill -9."""
        self.process.kill()

    def log(self):
        """What it has logged so far."""
        return self.process.output("err")

    def wait_for_log(self, pattern, deadline_s=10):
        """The match of `pattern` in what it logs, which comes by a pipe of its own and so perhaps a little later."""
        return waiting.poll_until(lambda: re.search(pattern, self.log()), deadline_s, f"a log line like {pattern!r}")

    def rss_mib(self):
        """Its resident memory now."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024

    @property
    def pid(self):
        """Of the broker itself, also where it runs under another program."""
        if not self._prefixed:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return int(children.split()[0])

    def terminate(self, deadline_s=30):
        """SIGTERM; the exit code once it has drained."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(deadline_s)
