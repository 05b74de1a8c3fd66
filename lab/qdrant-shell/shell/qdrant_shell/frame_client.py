"""One side of a framed connection: requests are pipelined, answers come back by id."""

import asyncio

from .errors import ApiError, service_error
from .wire import HEAD, frame


class FrameClient(asyncio.Protocol):
    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future] = {}
        self._buffer = bytearray()
        self._next_id = 0
        self._transport: asyncio.Transport | None = None

    def gone(self, why: object) -> Exception:
        """What callers get whose answer never comes."""
        return service_error(f"connection is gone: {why}")

    async def call(self, name: str, body: bytes = b"") -> bytes:
        if self._transport is None:
            raise self.gone("closed")
        self._next_id = (self._next_id + 1) & 0xFFFFFFFF
        request_id, operation = self._next_id, name.encode()
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiter
        self._transport.write(frame(request_id, len(operation), operation + body))
        try:
            return await waiter
        finally:
            self._waiting.pop(request_id, None)

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
                waiter.set_exception(self.gone(error or "closed by the other side"))
        self._waiting.clear()
