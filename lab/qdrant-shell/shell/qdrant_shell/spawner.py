"""Forks shard processes from one small process that has the engine imported and no threads.

`PR_SET_PDEATHSIG` ties server, spawner and shards together: a killed server leaves no process behind that still
holds its files, as with the one-process original.
"""

import ctypes
import os
import signal
import socket
import struct
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def set_process_name(name: str) -> None:
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


class Spawner:
    """Server's side: must be started before any thread or event loop."""

    def __init__(self) -> None:
        self._control, child_side = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server = os.getpid()
        if os.fork() == 0:
            self._control.close()
            die_with_parent(server)
            _serve(child_side)
        child_side.close()

    def spawn(self) -> socket.socket:
        """Starts a shard process and answers the server's end of its socket. Takes about a millisecond."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
        theirs.close()
        (pid,) = struct.unpack("<I", self._control.recv(4))
        if pid == 0:
            mine.close()
            raise OSError("could not fork a shard process")
        return mine


def _serve(control: socket.socket) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    from . import shard_process

    me = os.getpid()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            os._exit(0)
        connection = socket.socket(fileno=descriptors[0])
        try:
            pid = os.fork()
        except OSError as error:
            print(f"fork failed: {error}", file=sys.stderr)
            pid = None
        if pid == 0:
            control.close()
            die_with_parent(me)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            shard_process.run(connection)
        connection.close()
        control.send(struct.pack("<I", pid or 0))
