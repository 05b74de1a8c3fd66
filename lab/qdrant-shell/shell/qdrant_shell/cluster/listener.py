"""The port of the other nodes (6335). As in the original, nobody asks for a key there unless told to."""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable

import orjson

from ..errors import ApiError, from_engine
from ..wire import HEAD, frame

log = logging.getLogger("qdrant")
Handler = Callable[[dict, bytes], Awaitable[bytes]]


class Listener(asyncio.Protocol):
    def __init__(self, handlers: dict[str, Handler], key: str | None):
        self._handlers = handlers
        self._key = key
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= HEAD.size:
            length, request_id, name_length = HEAD.unpack_from(self._buffer, start)
            begin = start + HEAD.size
            if len(self._buffer) < begin + length:
                break
            start = begin + length
            name = bytes(self._buffer[begin : begin + name_length])
            body = bytes(self._buffer[begin + name_length : start])
            task = asyncio.ensure_future(self._answer(request_id, name.decode(errors="replace"), body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if start:
            del self._buffer[:start]

    async def _answer(self, request_id: int, name: str, body: bytes) -> None:
        try:
            head, _, payload = body.partition(b"\n")
            status, answer = 200, await self._handle(name, orjson.loads(head), payload)
        except Exception as error:  # noqa: BLE001 - every failure is the caller's to know
            if not isinstance(error, ApiError):
                log.exception("Error processing %s of a peer", name)
            known = from_engine(error)
            status, answer = known.status, known.message.encode()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(request_id, status, answer))

    async def _handle(self, name: str, head: dict, payload: bytes) -> bytes:
        if self._key is not None:
            given = head.get("api-key")
            if not isinstance(given, str) or not hmac.compare_digest(given.encode(), self._key.encode()):
                raise ApiError(401, "Invalid API key or JWT")
        if self._transport is not None:
            head["remote"] = self._transport.get_extra_info("peername")[0]
        return await self._handlers[name](head, payload)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
