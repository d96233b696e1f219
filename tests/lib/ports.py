"""Ports for programs that cannot pick one themselves; weir's own take port 0."""
import re
import socket


def free_port():
    """A TCP port of the loopback that was free a moment ago."""
    return free_ports(1)[0]


def free_ports(count):
    """Different free ports: all are held while the next is picked."""
    held = [socket.socket() for _ in range(count)]
    try:
        for s in held:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in held]
    finally:
        for s in held:
            s.close()


def is_open(port):
    """Whether something accepts connections there now."""
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def own_address():
    """An IPv4 address of this machine that is not of the loopback, or nothing."""
    with open("/proc/net/fib_trie", encoding="ascii") as table:
        local = re.findall(r"\|-- ([\d.]+)\n\s+/32 host LOCAL", table.read())
    return next((address for address in local if not address.startswith("127.")), None)
