"""A proxy in front of a broker that keeps the request frames which real clients send."""
import socket
import struct
import threading


class Recorder:
    """Forwards every connection to `target` (a port) and keeps whole request frames, without their lengths, in order."""

    def __init__(self, target_port=None):
        self.target_port, self.frames, self._lock = target_port, [], threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client, broker, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(broker, client, False), daemon=True).start()

    def _forward(self, source, target, keep):
        pending = b""
        try:
            while data := source.recv(65536):
                if keep:
                    pending = self._keep(pending + data)
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _keep(self, data):
        while len(data) >= 4 and len(data) >= 4 + struct.unpack_from(">i", data)[0]:
            size = struct.unpack_from(">i", data)[0]
            with self._lock:
                self.frames.append(data[4:4 + size])
            data = data[4 + size:]
        return data
