"""One HTTP request: its query, body and upload, and the answers in the API's envelope."""

import time
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from .errors import ApiError, format_error

JSON = (b"content-type", b"application/json")


class Request:
    def __init__(self, scope: dict, receive, send, body_limit: int):
        self.method: str = scope["method"]
        path = scope["raw_path"].decode("latin-1").partition("?")[0]
        self.parts = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
        self.headers = {name: value for name, value in scope["headers"]}
        self.started = time.perf_counter()
        self.receive = receive
        self._send = send
        self._body_limit = body_limit
        self._query = scope["query_string"]
        self._parsed: dict | None = None
        self.answering = False

    async def send(self, message: dict) -> None:
        self.answering = True
        await self._send(message)

    def parameter(self, name: str) -> str | None:
        if not self._query:
            return None
        if self._parsed is None:
            self._parsed = parse_qs(self._query.decode("latin-1"), keep_blank_values=True)
        values = self._parsed.get(name)
        return values[-1] if values else None

    def flag(self, name: str, default: bool) -> bool:
        value = self.parameter(name)
        if value is None:
            return default
        if value not in ("true", "false"):
            raise ApiError(
                400,
                f"Deserialize error in query parameters: {name}: provided string was not `true` or `false`",
            )
        return value == "true"

    async def body(self) -> bytes:
        message = await self.receive()
        if not message.get("more_body"):
            body = message.get("body", b"")
        else:
            parts = bytearray(message["body"])
            while message.get("more_body"):
                message = await self.receive()
                parts += message.get("body", b"")
                if len(parts) > self._body_limit:
                    break
            body = bytes(parts)
        if len(body) > self._body_limit:
            raise ApiError(
                413,
                f"JSON payload ({len(body)} bytes) is larger than allowed (limit: {self._body_limit} bytes).",
            )
        return body

    async def json(self) -> dict:
        raw = await self.body()
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise format_error(str(error)) from error
        if not isinstance(value, dict):
            raise format_error("expected a JSON object")
        return value

    async def ok(self, result: Any) -> None:
        await self.ok_raw(orjson.dumps(result))

    async def ok_raw(self, result: bytes) -> None:
        """`result` is JSON already: what a shard answered is passed on without being read again."""
        await self._answer(200, b'{"result":' + result + b',"status":"ok","time":' + self._elapsed() + b"}")

    async def accepted(self) -> None:
        await self._answer(202, b'{"status":"accepted","time":' + self._elapsed() + b"}")

    async def failed(self, status: int, message: str) -> None:
        await self._answer(
            status, orjson.dumps({"status": {"error": message}, "time": time.perf_counter() - self.started})
        )

    async def text(self, status: int, body: str, content_type: str = "text/plain; charset=utf-8") -> None:
        await self._answer(status, body.encode(), (b"content-type", content_type.encode()))

    def _elapsed(self) -> bytes:
        return orjson.dumps(time.perf_counter() - self.started)

    async def _answer(self, status: int, body: bytes, content_type: tuple = JSON) -> None:
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [content_type, (b"content-length", b"%d" % len(body))],
            }
        )
        await self.send({"type": "http.response.body", "body": body})
