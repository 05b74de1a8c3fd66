"""Streams the `snapshot` field of a multipart upload to a file, however large it is."""

import re
from pathlib import Path
from typing import BinaryIO

from .errors import ApiError
from .request import Request

_NAME = re.compile(rb'name="([^"]*)"')
_FILE_NAME = re.compile(rb'filename="([^"]*)"')


class Upload:
    def __init__(self, path: Path, file_name: str | None):
        self.path = path
        self.file_name = file_name


async def receive_snapshot(request: Request, target: Path) -> Upload:
    content_type = request.headers.get(b"content-type", b"")
    match = re.search(rb'boundary="?([^";]+)"?', content_type)
    if not content_type.startswith(b"multipart/form-data") or match is None:
        raise ApiError(400, "Could not find Content-Type header with a multipart boundary")
    parser = _Parser(b"--" + match[1], target)
    try:
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ApiError(400, "Multipart stream is incomplete")
            parser.feed(message.get("body", b""))
            more = message.get("more_body", False)
    finally:
        parser.close()
    if not parser.found:
        raise ApiError(400, "Field 'snapshot' is required")
    if not parser.complete:
        raise ApiError(400, "Multipart stream is incomplete")
    return Upload(target, parser.file_name)


class _Parser:
    def __init__(self, boundary: bytes, target: Path):
        self.found = False
        self.complete = False
        self.file_name: str | None = None
        self._first = boundary
        self._delimiter = b"\r\n" + boundary
        self._buffer = bytearray(b"\r\n")  # so that the first boundary looks like every other
        self._target = target
        self._file: BinaryIO | None = None
        self._in_part = False

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while not self.complete and self._step():
            pass

    def _step(self) -> bool:
        if not self._in_part:
            return self._open_part()
        at = self._buffer.find(self._delimiter)
        if at < 0:
            keep = len(self._delimiter)
            if len(self._buffer) > keep:
                self._write(self._buffer[:-keep])
                del self._buffer[:-keep]
            return False
        self._write(self._buffer[:at])
        del self._buffer[:at]
        self._in_part = False
        if self._file is not None:
            self._file.close()
            self._file = None
        return True

    def _open_part(self) -> bool:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            return False
        after = at + len(self._delimiter)
        if self._buffer[after : after + 2] == b"--":
            self.complete = True
            return False
        end = self._buffer.find(b"\r\n\r\n", after)
        if end < 0:
            return False
        headers = bytes(self._buffer[after:end])
        del self._buffer[: end + 4]
        self._in_part = True
        name = _NAME.search(headers)
        if name is not None and name[1] == b"snapshot":
            self.found = True
            file_name = _FILE_NAME.search(headers)
            self.file_name = None if file_name is None else file_name[1].decode(errors="replace")
            self._file = open(self._target, "wb")
        return True

    def _write(self, data: bytearray) -> None:
        if self._file is not None:
            self._file.write(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
