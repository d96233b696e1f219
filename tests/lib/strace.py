"""The system calls of a process as `strace -f -ttt -xx` wrote them, each with its moments of beginning and end."""
import re

_LINE = re.compile(r"^(?P<pid>\d+) +[\d.]+ (?P<rest>.*)$")
_STRING = re.compile(r'"([\\x0-9a-f]*)"')


class Call:
    """One system call; `begin` and `end` are places in the trace, which is in the order in which things happened."""

    def __init__(self, name, text, result, begin, end):
        self.name, self.text, self.result, self.begin, self.end = name, text, result, begin, end

    @property
    def fd(self):
        return int(re.match(r"(-?\d+)", self.text).group(1))

    def data(self):
        """The bytes of every string among its arguments, each up to the limit that strace was given with -s."""
        return b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(self.text))


def parse(lines):
    """The calls of a trace that ended, in the order of their ends."""
    calls, open_calls = [], {}
    for place, line in enumerate(lines):
        match = _LINE.match(line)
        if not match or match["rest"].startswith(("+++", "---")):
            continue
        pid, rest = match["pid"], match["rest"]
        begun = re.match(r"(\w+)\((.*) <unfinished \.\.\.>$", rest)
        if begun:
            open_calls[pid] = (begun[1], begun[2], place)
            continue
        resumed = re.match(r"<\.\.\. (\w+) resumed>(.*)\)\s+= (-?\d+|\?)", rest)
        if resumed:
            name, text, begin = open_calls.pop(pid)
            if name != resumed[1]:
                raise AssertionError(f"line {place + 1}: {resumed[1]} is resumed, {name} was begun")
            calls.append(Call(name, text + resumed[2], _number(resumed[3]), begin, place))
            continue
        whole = re.match(r"(\w+)\((.*)\)\s+= (-?\d+|\?)", rest)
        if whole:
            calls.append(Call(whole[1], whole[2], _number(whole[3]), place, place))
    return calls


def _number(text):
    return -1 if text == "?" else int(text)
