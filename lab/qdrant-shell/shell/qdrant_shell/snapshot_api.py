"""The routes under `…/snapshots` and `…/shards/{id}/snapshot(s)`."""

import asyncio
import logging
import os
import re
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from .collection import Collection
from .errors import ApiError
from .multipart import receive_snapshot
from .recovery import Recovery
from .request import Request
from .shard import Shard
from .snapshots import Snapshots
from .storage import Storage

log = logging.getLogger("qdrant")
STREAM_IDLE_SECONDS = 300.0
_CHUNK = 1 << 20
_PRIORITIES = (None, "no_sync", "snapshot", "replica")


class SnapshotApi:
    def __init__(self, storage: Storage, snapshots: Snapshots):
        self.storage = storage
        self.snapshots = snapshots
        self.recovery = Recovery(storage, snapshots)
        self._background: set[asyncio.Task] = set()

    async def handle(self, request: Request, name: str, tail: list[str]) -> bool:
        """Answers whether the path was one of these."""
        if tail[0] == "snapshots":
            return await self._of_collection(request, name, tail[1:])
        if len(tail) >= 3 and tail[1].isdigit() and tail[2] in ("snapshots", "snapshot"):
            collection = self.storage.find(name)
            shard_id = int(tail[1])
            collection.check_shard(shard_id)
            if tail[2:] == ["snapshot"] and request.method == "GET":
                await self._stream_shard(request, collection, collection.shard(shard_id))
                return True
            if tail[2] == "snapshots":
                return await self._of_shard(request, collection, shard_id, tail[3:])
        return False

    async def _of_collection(self, request: Request, name: str, rest: list[str]) -> bool:
        method = request.method
        if rest == ["upload"] and method == "POST":
            await self._upload_collection(request, name)
        elif rest == ["recover"] and method == "PUT":
            body = _checked(await request.json())
            await self._answer(request, lambda: self.recovery.recover_collection(name, body))
        else:
            collection = self.storage.find(name)
            folder = self.snapshots.collection_folder(collection)
            return await self._files(
                request, rest, folder, lambda: self.snapshots.create_for_collection(collection)
            )
        return True

    async def _of_shard(
        self, request: Request, collection: Collection, shard_id: int, rest: list[str]
    ) -> bool:
        method = request.method
        if rest == ["upload"] and method == "POST":
            await self._upload_shard(request, collection, shard_id)
        elif rest == ["recover"] and method == "PUT":
            body = _checked(await request.json())
            await self._answer(request, lambda: self.recovery.recover_shard(collection, shard_id, body))
        else:
            folder = self.snapshots.shard_folder(collection, shard_id)

            async def create() -> dict:
                return await self.snapshots.create_for_shard(collection, collection.shard(shard_id))

            return await self._files(request, rest, folder, create)
        return True

    async def _files(self, request: Request, rest: list[str], folder: Path, create: Callable) -> bool:
        method = request.method
        if not rest and method == "GET":
            await request.ok(self.snapshots.listing(folder))
        elif not rest and method == "POST":
            await self._answer(request, create)
        elif len(rest) == 1 and method == "GET":
            await _send_file(request, self.snapshots.file(folder, rest[0]))
        elif len(rest) == 1 and method == "DELETE":
            await self._answer(request, _later(lambda: self.snapshots.delete(folder, rest[0])))
        else:
            return False
        return True

    async def _answer(self, request: Request, work: Callable[[], Awaitable]) -> None:
        """The work goes on when the client leaves. Without `wait` nobody is told how it ended."""
        task = asyncio.ensure_future(work())
        self._background.add(task)
        task.add_done_callback(self._ended)
        if request.flag("wait", True):
            await request.ok(await asyncio.shield(task))
        else:
            await request.accepted()

    def _ended(self, task: asyncio.Task) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("Error processing request: %s", task.exception())

    async def _upload_collection(self, request: Request, name: str) -> None:
        checksum, priority = _upload_parameters(request)
        temporary = self.storage.snapshots_root / "tmp" / f"upload-{uuid.uuid4()}"
        upload = await receive_snapshot(request, temporary)

        async def work() -> bool:
            # the file gets its given name among the collection's snapshots, and stays there whatever happens next
            folder = self.storage.snapshots_of(name)
            folder.mkdir(parents=True, exist_ok=True)
            await self.recovery.check_upload(upload.path, checksum)
            kept = folder / (Path(upload.file_name or "").name or str(uuid.uuid4()))
            os.replace(upload.path, kept)
            return await self.recovery.upload_collection(name, kept, priority)

        await self._answer(request, work)

    async def _upload_shard(self, request: Request, collection: Collection, shard_id: int) -> None:
        checksum, priority = _upload_parameters(request)
        temporary = self.storage.snapshots_root / "tmp" / f"upload-{uuid.uuid4()}"
        upload = await receive_snapshot(request, temporary)
        await self._answer(
            request,
            lambda: self.recovery.upload_shard(collection, shard_id, upload.path, checksum, priority),
        )

    async def _stream_shard(self, request: Request, collection: Collection, shard: Shard) -> None:
        """Holds the shard's snapshot lock until the reader has drained the stream, 300 s at most without progress."""
        async with shard.snapshot_lock:
            spool = await self.snapshots.spool_shard(collection, shard)
            try:
                await _send_file(request, spool, None, STREAM_IDLE_SECONDS)
            finally:
                spool.unlink(missing_ok=True)


def _later(work: Callable) -> Callable[[], Awaitable]:
    async def run():
        return work()

    return run


def _checked(body: dict) -> dict:
    if not isinstance(body.get("location"), str):
        raise ApiError(400, "Format error in JSON body: missing field `location`")
    _check_priority(body.get("priority"))
    _check_hash(body.get("checksum"), "JSON body")
    return body


def _upload_parameters(request: Request) -> tuple[str | None, str | None]:
    """Checksum and priority."""
    priority = request.parameter("priority")
    _check_priority(priority)
    checksum = request.parameter("checksum")
    _check_hash(checksum, "query parameters")
    return checksum, priority


def _check_priority(priority: str | None) -> None:
    if priority not in _PRIORITIES:
        raise ApiError(
            400,
            f"Format error in JSON body: unknown variant `{priority}`, expected one of `no_sync`, `snapshot`, `replica`",
        )


def _check_hash(checksum: str | None, where: str) -> None:
    if checksum is not None and re.fullmatch("[0-9a-fA-F]{64}", checksum) is None:
        raise ApiError(
            422, f"Validation error in {where}: [checksum: must be a SHA-256 hash of 64 hexadecimal digits]"
        )


async def _send_file(
    request: Request, path: Path, _name: str | None = None, idle_seconds: float | None = None
) -> None:
    size = path.stat().st_size
    name = path.name.encode()
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-disposition", b'attachment; filename="' + name + b'"'),
    ]
    if idle_seconds is None:
        headers += [(b"content-length", b"%d" % size), (b"accept-ranges", b"bytes")]
    await request.send({"type": "http.response.start", "status": 200, "headers": headers})
    with open(path, "rb") as file:
        while True:
            chunk = await asyncio.to_thread(file.read, _CHUNK)
            message = {"type": "http.response.body", "body": chunk, "more_body": bool(chunk)}
            if idle_seconds is None:
                await request.send(message)
            else:
                await asyncio.wait_for(request.send(message), idle_seconds)
            if not chunk:
                return
