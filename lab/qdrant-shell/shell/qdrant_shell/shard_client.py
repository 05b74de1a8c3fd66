"""Server's side of a shard process: requests are pipelined, answers come back by id."""

import asyncio
import socket
from collections.abc import Callable

import orjson

from .errors import ApiError, service_error
from .wire import HEAD, frame


class ShardClient(asyncio.Protocol):
    def __init__(self, on_lost: Callable[[], None]):
        self._on_lost = on_lost
        self._waiting: dict[int, asyncio.Future] = {}
        self._buffer = bytearray()
        self._next_id = 0
        self._closing = False
        self._closed: asyncio.Future = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, connection: socket.socket, on_lost: Callable[[], None]) -> "ShardClient":
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        _, client = await loop.create_unix_connection(lambda: cls(on_lost), sock=connection)
        return client

    async def call(self, name: str, body: bytes = b"") -> bytes:
        if self._transport is None or (self._closing and name != "close"):
            raise service_error("shard process is gone")
        self._next_id = (self._next_id + 1) & 0xFFFFFFFF
        operation = name.encode()
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[self._next_id] = waiter
        self._transport.write(frame(self._next_id, len(operation), operation + body))
        return await waiter

    async def call_json(self, name: str, body: object) -> bytes:
        return await self.call(name, orjson.dumps(body))

    async def close(self) -> None:
        """Flushes, closes the engine and waits for the process to let go of its files."""
        self._closing = True
        if self._transport is None:
            return
        await self.call("close")
        self._transport.close()
        await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= HEAD.size:
            length, request_id, status = HEAD.unpack_from(buffer, start)
            end = start + HEAD.size + length
            if len(buffer) < end:
                break
            body = bytes(buffer[start + HEAD.size : end])
            start = end
            waiter = self._waiting.pop(request_id, None)
            if waiter is None or waiter.done():
                continue
            if status == 200:
                waiter.set_result(body)
            else:
                waiter.set_exception(ApiError(status, body.decode()))
        if start:
            del buffer[:start]

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(service_error(f"shard process is gone: {error}"))
        self._waiting.clear()
        if not self._closed.done():
            self._closed.set_result(None)
        if not self._closing:
            self._on_lost()
