"""A PostgreSQL that falls silent: it listens, connections are made, and nothing is answered.

With *upstream* a proxy, which passes everything on until `fall`; without, a server that shakes
hands and then hears whatever it is asked.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NO: tuple[int, ...] = (80877103, 80877104)
"""Requests for TLS and for GSSAPI, which come before the start."""


class Silence:
    """Listens on a free loopback *port*."""

    def __init__(self, upstream: int | None = None) -> None:
        self._upstream = upstream
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self.asked = threading.Event()
        """Set once something came that was not answered, nor will be."""
        self.made = 0
        """How many connections came."""
        self._silent = upstream is None
        threading.Thread(target=self._serve, daemon=True).start()

    def fall(self) -> None:
        """Pass nothing on any more, either way; new connections are made, and that is all."""
        self._silent = True

    def close(self) -> None:
        """End everything."""
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near = self._listening.accept()[0]
                self._open.append(near)
                self.made += 1
                if self._upstream is None:
                    _shake_hands(near)
                    far = None
                else:
                    far = socket.create_connection(("127.0.0.1", self._upstream))
                    self._open.append(far)
                    threading.Thread(target=self._pass, args=(far, near), daemon=True).start()
                threading.Thread(target=self._pass, args=(near, far), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket | None) -> None:
        with suppress(OSError):  # one of them was closed
            while data := source.recv(65536):
                if self._silent or sink is None:
                    self.asked.set()
                else:
                    sink.sendall(data)


def _shake_hands(near: socket.socket) -> None:
    while True:
        size, code = struct.unpack("!ii", near.recv(8, socket.MSG_WAITALL))
        if code not in _NO:
            break
        near.sendall(b"N")
    near.recv(size - 8, socket.MSG_WAITALL)
    said = {b"server_version": b"15.0", b"client_encoding": b"UTF8", b"TimeZone": b"UTC"}
    parts = [(b"R", struct.pack("!i", 0))]
    parts += [(b"S", name + b"\0" + value + b"\0") for name, value in said.items()]
    parts += [(b"K", struct.pack("!ii", 1, 1)), (b"Z", b"I")]
    near.sendall(b"".join(kind + struct.pack("!i", 4 + len(b)) + b for kind, b in parts))


@contextmanager
def silence(upstream: int | None = None) -> Iterator[Silence]:
    """Listen while the block runs."""
    made = Silence(upstream)
    try:
        yield made
    finally:
        made.close()
