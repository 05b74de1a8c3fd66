"""A shard's process: opens the engine on one folder and answers the server over a socket until that closes."""

import os
import signal
import socket
import time

import orjson
import qdrant_edge as q

from .errors import from_engine
from .operations import READS, UPDATES, create_index, delete_index
from .schema import schema_type, to_edge_config
from .wire import HEAD, frame

OK = 200
FLUSH_INTERVAL_SECONDS = 5.0  # the server's default `flush_interval_sec`


class ShardProcess:
    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.shard: q.EdgeShard | None = None
        self.dirty_since: float | None = None

    def serve(self) -> None:
        while True:
            head = self._read(HEAD.size)
            if head is None:
                break
            length, request_id, name_length = HEAD.unpack(head)
            body = self._read(length)
            if body is None:
                break
            name = body[:name_length].decode()
            try:
                status, answer = OK, self._handle(name, body[name_length:])
            except BaseException as error:  # the engine's panics are no Exceptions
                known = from_engine(error)
                status, answer = known.status, known.message.encode()
            self.connection.sendall(frame(request_id, status, answer))
        self._close()

    def _read(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            if self.dirty_since is not None:
                left = self.dirty_since + FLUSH_INTERVAL_SECONDS - time.monotonic()
                self.connection.settimeout(max(left, 0.001))
            else:
                self.connection.settimeout(None)
            try:
                part = self.connection.recv(size - len(parts))
            except TimeoutError:
                self._flush()
                continue
            if not part:
                return None
            parts += part
        return bytes(parts)

    def _flush(self) -> None:
        self.dirty_since = None
        if self.shard is not None:
            self.shard.flush()

    def _handle(self, name: str, raw: bytes) -> bytes:
        body = orjson.loads(raw) if raw else {}
        read = READS.get(name)
        if read is not None:
            return read(self._opened(), body)
        update = UPDATES.get(name)
        if update is not None or name in ("batch", "create_index", "delete_index"):
            self._mark_dirty()
            shard = self._opened()
            if update is not None:
                update(shard, body)
            elif name == "batch":
                for kind, operation in body:
                    UPDATES[kind](shard, operation)
            elif name == "create_index":
                create_index(shard, body)
            else:
                delete_index(shard, body)
            return b""
        return self._manage(name, body)

    def _manage(self, name: str, body: dict) -> bytes:
        if name == "create":
            self.shard = q.EdgeShard.create(body["path"], to_edge_config(body["params"]))
        elif name == "load":
            self.shard = q.EdgeShard.load(body["path"])
            self._reconcile_indexes(body["payload_schema"])
        elif name == "flush":
            self._flush()
        elif name == "unpack":
            q.EdgeShard.unpack_snapshot(body["snapshot"], body["target"])
        elif name == "close":
            self._close()
        else:
            raise ValueError(f"unknown operation {name}")
        return b""

    def _reconcile_indexes(self, wanted: dict) -> None:
        """The collection's schema rules: indexes that only the files know are dropped, missing ones are built."""
        shard = self._opened()
        present = {str(key): value for key, value in shard.info().payload_schema.items()}
        for field in present:
            if field not in wanted:
                delete_index(shard, {"field_name": field})
        for field, schema in wanted.items():
            if field not in present or str(present[field].data_type).lower().rsplit(".", 1)[
                -1
            ] != schema_type(schema):
                create_index(shard, {"field_name": field, "field_schema": schema})

    def _opened(self) -> q.EdgeShard:
        if self.shard is None:
            raise RuntimeError("Service runtime error: shard is not open")
        return self.shard

    def _mark_dirty(self) -> None:
        if self.dirty_since is None:
            self.dirty_since = time.monotonic()

    def _close(self) -> None:
        self.dirty_since = None
        if self.shard is not None:
            self.shard.close()
            self.shard = None


def run(connection: socket.socket) -> None:
    """Entered after the fork. Service managers signal the whole group: only the server decides when to end."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    code = 0
    try:
        ShardProcess(connection).serve()
    except OSError:
        code = 1  # the server is gone
    os._exit(code)
