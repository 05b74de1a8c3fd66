"""Connections to the other nodes, and how the last attempts went."""

import asyncio
import ssl
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson

from ..errors import ApiError
from ..frame_client import FrameClient

CONNECT_SECONDS = 2.0
PING_SECONDS = 1.0
SILENCE_SECONDS = 8.0  # a node that answers no ping for so long counts as gone, and its connection is cut
CALL_SECONDS = 60.0
P2P_PORT = 6335


class PeerUnreachable(Exception):
    """Nothing is known about whether the other node did what it was asked to."""


class _Link(FrameClient):
    def gone(self, why: object) -> Exception:
        return PeerUnreachable(str(why))

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Links:
    def __init__(self, api_key: str | None, tls: ssl.SSLContext | None):
        self.uris: dict[str, str] = {}
        self.failures: dict[str, dict] = {}  # by uri, as `/cluster` shows them
        self._key = {} if api_key is None else {"api-key": api_key}  # always sent along, as by the original
        self._tls = tls
        self._links: dict[str, _Link] = {}
        self._connecting: dict[str, asyncio.Lock] = {}

    async def call(
        self, peer: str, name: str, head: dict, payload: bytes = b"", timeout: float = CALL_SECONDS
    ) -> bytes:
        uri = self.uris.get(peer)
        if uri is None:
            raise PeerUnreachable(f"peer {peer} is unknown")
        return await self.call_uri(uri, name, head, payload, timeout)

    async def call_uri(
        self, uri: str, name: str, head: dict, payload: bytes = b"", timeout: float = CALL_SECONDS
    ) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                link = await self._open(uri)
                answer = await link.call(name, orjson.dumps({**head, **self._key}) + b"\n" + payload)
        except (TimeoutError, OSError, PeerUnreachable) as error:
            self._failed(uri, error)
            raise PeerUnreachable(f"{uri}: {error or type(error).__name__}") from error
        self.failures.pop(uri, None)
        return answer

    async def _open(self, uri: str) -> _Link:
        link = self._links.get(uri)
        if link is not None and link.is_open:
            return link
        async with self._connecting.setdefault(uri, asyncio.Lock()):
            link = self._links.get(uri)
            if link is None or not link.is_open:
                parts = urlsplit(uri)
                async with asyncio.timeout(CONNECT_SECONDS):
                    _, link = await asyncio.get_running_loop().create_connection(
                        _Link, parts.hostname or "", parts.port or P2P_PORT, ssl=self._tls
                    )
                self._links[uri] = link
            return link

    def _failed(self, uri: str, error: BaseException) -> None:
        known = self.failures.setdefault(uri, {"count": 0})
        known["count"] += 1
        known["latest_error"] = str(error) or type(error).__name__
        known["latest_error_timestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def watch(self, me: str) -> None:
        """A node that hangs keeps its connections open: pings find it out."""
        heard: dict[str, float] = {}
        while True:
            await asyncio.gather(
                *(self._ping(uri, heard) for peer, uri in self.uris.items() if peer != me),
                asyncio.sleep(PING_SECONDS),
            )

    async def _ping(self, uri: str, heard: dict[str, float]) -> None:
        link = self._links.get(uri)
        if link is None or not link.is_open:
            heard.pop(uri, None)
            return
        since = heard.setdefault(uri, time.monotonic())
        try:
            async with asyncio.timeout(PING_SECONDS):
                await link.call("ping", orjson.dumps(self._key) + b"\n")
            heard[uri] = time.monotonic()
        except ApiError:
            heard[uri] = time.monotonic()
        except (TimeoutError, PeerUnreachable):
            if time.monotonic() - since > SILENCE_SECONDS:
                link.abort()
                heard.pop(uri, None)
