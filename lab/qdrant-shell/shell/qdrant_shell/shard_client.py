"""Server's side of a shard process."""

import asyncio
import socket
from collections.abc import Callable

import orjson

from .errors import service_error
from .frame_client import FrameClient


class ShardClient(FrameClient):
    def __init__(self, on_lost: Callable[[], None]):
        super().__init__()
        self._on_lost = on_lost
        self._closing = False
        self._closed: asyncio.Future = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(cls, connection: socket.socket, on_lost: Callable[[], None]) -> "ShardClient":
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        _, client = await loop.create_unix_connection(lambda: cls(on_lost), sock=connection)
        return client

    def gone(self, why: object) -> Exception:
        return service_error(f"shard process is gone: {why}")

    async def call(self, name: str, body: bytes = b"") -> bytes:
        if self._closing and name != "close":
            raise self.gone("closing")
        return await super().call(name, body)

    async def call_json(self, name: str, body: object) -> bytes:
        return await self.call(name, orjson.dumps(body))

    async def close(self) -> None:
        """Flushes, closes the engine and waits for the process to let go of its files."""
        self._closing = True
        if self._transport is None:
            return
        await self.call("close")
        if self._transport is not None:
            self._transport.close()
        await self._closed

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if not self._closed.done():
            self._closed.set_result(None)
        if not self._closing:
            self._on_lost()
