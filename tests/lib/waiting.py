"""Waiting for something to become true, with a deadline; no test sleeps for a fixed time."""
import threading
import time

_never = threading.Event()


def poll_until(condition, deadline_s, what="the condition", every_s=0.02):
    """The first true value of condition(); AssertionError after deadline_s seconds."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not within {deadline_s} s")
        _never.wait(every_s)
