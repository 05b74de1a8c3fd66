"""Snapshots of shards and collections: create, list, delete, and recover, with the original's sharp edges."""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from .collection import Collection
from .errors import not_found
from .files import pack, sha256_of, write_durably
from .shard import DESCRIPTION_PARTS, SNAPSHOT_PARTS, Shard
from .storage import Storage


class Snapshots:
    def __init__(self, storage: Storage):
        self.storage = storage

    # Where they lie

    def collection_folder(self, collection: Collection) -> Path:
        return self.storage.snapshots_of(collection.name)

    def shard_folder(self, collection: Collection, shard_id: int) -> Path:
        return self.collection_folder(collection) / "shards" / str(shard_id)

    def file(self, folder: Path, name: str) -> Path:
        if Path(name).name != name or not (folder / name).is_file():
            raise not_found(f"Snapshot {name}")
        return folder / name

    def listing(self, folder: Path) -> list[dict]:
        if not folder.is_dir():
            return []
        return [
            self._describe(path)
            for path in sorted(folder.iterdir())
            if path.suffix == ".snapshot" and path.is_file()
        ]

    def delete(self, folder: Path, name: str) -> bool:
        self.file(folder, name).unlink()
        (folder / f"{name}.checksum").unlink(missing_ok=True)
        return True

    @staticmethod
    def _describe(path: Path) -> dict:
        status = path.stat()
        checksum = path.with_name(path.name + ".checksum")
        created = datetime.fromtimestamp(int(status.st_mtime), UTC)
        described = {
            "name": path.name,
            "creation_time": created.strftime("%Y-%m-%dT%H:%M:%S"),
            "size": status.st_size,
        }
        if checksum.exists():
            described["checksum"] = checksum.read_text()
        return described

    # Create

    async def create_for_shard(self, collection: Collection, shard: Shard) -> dict:
        name = f"{collection.name}-shard-{shard.id}-{_second()}.snapshot"
        collection.assert_local(shard)
        async with shard.snapshot_lock:
            return await self._create(collection, [shard], self.shard_folder(collection, shard.id) / name)

    async def create_for_collection(self, collection: Collection) -> dict:
        """Only what is on this node: of the other shards it says no more than who holds them."""
        name = f"{collection.name}-{collection.peer_id}-{_second()}.snapshot"
        for shard in collection.local_shards:
            collection.assert_local(shard)
        async with AsyncExitStack() as locks:
            for shard in collection.local_shards:
                await locks.enter_async_context(shard.snapshot_lock)
            return await self._create(collection, None, self.collection_folder(collection) / name)

    async def _create(self, collection: Collection, only: list[Shard] | None, target: Path) -> dict:
        collection.snapshots_running += 1
        temporary = self.storage.snapshots_root / "tmp" / f"{target.name}-{time.time_ns()}.tar"
        temporary.touch(mode=0o600)  # only the server's own user reads its snapshots as files
        try:
            if only is None:
                await self._pack_collection(collection, temporary)
            else:
                await self._pack_shard(only[0], temporary)
            checksum = await asyncio.to_thread(sha256_of, temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, target)
            write_durably(target.with_name(target.name + ".checksum"), checksum.encode())
            collection.snapshots_created += 1
            return self._describe(target)
        finally:
            temporary.unlink(missing_ok=True)
            collection.snapshots_running -= 1

    @staticmethod
    async def _pack_shard(shard: Shard, target: Path) -> None:
        async with shard.gate.frozen():
            await shard.flush()
            await pack(target, shard.path, SNAPSHOT_PARTS)

    @staticmethod
    async def _pack_collection(collection: Collection, target: Path) -> None:
        entries = ["version.info", "config.json", "payload_index.json"]
        held = {shard.id: shard for shard in collection.local_shards}
        for shard_id in range(len(collection.shards)):
            parts = SNAPSHOT_PARTS if shard_id in held else DESCRIPTION_PARTS
            entries += [f"{shard_id}/{part}" for part in parts]
        async with AsyncExitStack() as gates:
            for shard in held.values():
                await gates.enter_async_context(shard.gate.frozen())
                await shard.flush()
            await pack(target, collection.path, entries)

    async def spool_shard(self, collection: Collection, shard: Shard) -> Path:
        """A snapshot for one stream. The caller holds the shard's snapshot lock until the reader is done."""
        collection.assert_local(shard)
        target = (
            self.storage.snapshots_root
            / "tmp"
            / f"{collection.name}-shard-{shard.id}-{time.time_ns()}.stream"
        )
        await self._pack_shard(shard, target)
        return target


def _second() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d-%H-%M-%S")
