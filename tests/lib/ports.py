"""Ports for programs that cannot pick one themselves; weir's own take port 0."""
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
