"""Processes of a test: started in a group of their own, waited for with deadlines, always ended."""
import atexit
import os
import re
import signal
import subprocess
import threading
import time

_alive = set()


@atexit.register
def _end_all():
    for process in list(_alive):
        process.kill()


class Process:
    """A running program whose output is collected. Use it in `with`; leaving ends its whole process group."""

    def __init__(self, command, env=None, cwd=None):
        self.command = [str(word) for word in command]
        self._lines, self._changed = {"out": [], "err": []}, threading.Condition()
        self._open = 2
        self._popen = subprocess.Popen(self.command, cwd=cwd, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        _alive.add(self)
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self._popen.stdout, "out"), (self._popen.stderr, "err"))]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, name):
        with pipe:
            for line in pipe:
                with self._changed:
                    self._lines[name].append(line.decode(errors="replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self._popen.pid

    @property
    def exit_code(self):
        """None while it runs; negative if a signal ended it."""
        return self._popen.poll()

    def output(self, stream=None):
        """What it has written so far: to `out`, `err`, or both one after the other."""
        with self._changed:
            return "\n".join(line for name in ("out", "err") if stream in (None, name) for line in self._lines[name])

    def wait_for_line(self, pattern, deadline_s, stream="out"):
        """The match of the first line that `pattern` is found in; AssertionError at the deadline or the end."""
        end, seen = time.monotonic() + deadline_s, 0
        with self._changed:
            while True:
                for line in self._lines[stream][seen:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                seen = len(self._lines[stream])
                left = end - time.monotonic()
                if self._open == 0 or left <= 0:
                    break
                self._changed.wait(left)
        why = f"within {deadline_s} s" if self._open else f"before it ended with {self.wait(10)}"
        raise AssertionError(f"{self.command[0]}: no line matches {pattern!r} {why}; it said:\n{self.output()[-4000:]}")

    def wait(self, deadline_s):
        """Its exit code; AssertionError if it still runs at the deadline."""
        try:
            code = self._popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{' '.join(self.command)}: still running after {deadline_s} s:\n{self.output()[-4000:]}")
        for reader in self._readers:
            reader.join(5)
        return code

    def signal(self, number):
        """Sends a signal to the program itself, not to its group."""
        self._popen.send_signal(number)

    def kill(self):
        """kill -9 of the whole group; returns when the program is gone."""
        _alive.discard(self)
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait()
        for reader in self._readers:  # each closes its pipe
            reader.join(5)

    def terminate(self, deadline_s=30):
        """SIGTERM, and its exit code once it has ended."""
        self._popen.terminate()
        return self.wait(deadline_s)

    def stop(self, deadline_s=10):
        """SIGTERM, SIGKILL at the deadline. Never fails."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(deadline_s)
            except subprocess.TimeoutExpired:
                pass
        self.kill()


class Done:
    """How a program that was run to its end ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def run(command, deadline_s=60, stdin="", env=None, cwd=None, expect=0):
    """Runs a program to its end; AssertionError if its exit code is not `expect` (None: any) or at the deadline."""
    command = [str(word) for word in command]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    popen = subprocess.Popen(command, cwd=cwd, env=dict(os.environ, **(env or {})), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = popen.communicate(data, timeout=deadline_s)
    except subprocess.TimeoutExpired:
        os.killpg(popen.pid, signal.SIGKILL)
        out, err = popen.communicate()
        raise AssertionError(f"{' '.join(command)}: no end after {deadline_s} s\n{(out + err).decode(errors='replace')[-4000:]}")
    done = Done(popen.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
    if expect is not None and done.code != expect:
        raise AssertionError(f"{' '.join(command)}: exit code {done.code}, want {expect}\n{(done.out + done.err)[-4000:]}")
    return done
