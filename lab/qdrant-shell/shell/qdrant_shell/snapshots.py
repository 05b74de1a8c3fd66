"""Snapshots of shards and collections: create, list, delete, and recover, with the original's sharp edges."""

import asyncio
import os
import shutil
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

from .collection import Collection
from .download import fetch
from .errors import ApiError, bad_input, bad_request, forbidden, not_found, service_error
from .files import pack, sha256_of, unpack, write_durably
from .shard import SNAPSHOT_PARTS, Shard
from .storage import Storage


class Snapshots:
    def __init__(self, storage: Storage):
        self.storage = storage

    # Where they lie

    def collection_folder(self, collection: Collection) -> Path:
        return self.storage.snapshots_of(collection.name)

    def shard_folder(self, collection: Collection, shard: Shard) -> Path:
        return self.collection_folder(collection) / "shards" / str(shard.id)

    def file(self, folder: Path, name: str) -> Path:
        if Path(name).name != name or not (folder / name).is_file():
            raise not_found(f"Snapshot {name}")
        return folder / name

    def listing(self, folder: Path) -> list[dict]:
        if not folder.is_dir():
            return []
        return [self._describe(path) for path in sorted(folder.iterdir()) if path.suffix == ".snapshot" and path.is_file()]

    def delete(self, folder: Path, name: str) -> bool:
        self.file(folder, name).unlink()
        (folder / f"{name}.checksum").unlink(missing_ok=True)
        return True

    @staticmethod
    def _describe(path: Path) -> dict:
        status = path.stat()
        checksum = path.with_name(path.name + ".checksum")
        created = datetime.fromtimestamp(int(status.st_mtime), timezone.utc)
        described = {"name": path.name, "creation_time": created.strftime("%Y-%m-%dT%H:%M:%S"), "size": status.st_size}
        if checksum.exists():
            described["checksum"] = checksum.read_text()
        return described

    # Create

    async def create_for_shard(self, collection: Collection, shard: Shard) -> dict:
        name = f"{collection.name}-shard-{shard.id}-{_second()}.snapshot"
        collection.assert_local(shard)
        async with shard.snapshot_lock:
            return await self._create(collection, [shard], self.shard_folder(collection, shard) / name)

    async def create_for_collection(self, collection: Collection) -> dict:
        name = f"{collection.name}-0-{_second()}.snapshot"
        for shard in collection.shards:
            collection.assert_local(shard)
            await shard.snapshot_lock.acquire()
        try:
            return await self._create(collection, None, self.collection_folder(collection) / name)
        finally:
            for shard in collection.shards:
                shard.snapshot_lock.release()

    async def _create(self, collection: Collection, only: Optional[list[Shard]], target: Path) -> dict:
        collection.snapshots_running += 1
        temporary = self.storage.snapshots_root / "tmp" / f"{target.name}-{time.time_ns()}.tar"
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
        gates = [shard.gate.frozen() for shard in collection.shards]
        for shard in collection.shards:
            entries += [f"{shard.id}/{part}" for part in SNAPSHOT_PARTS]
        opened = 0
        try:
            for shard, gate in zip(collection.shards, gates):
                await gate.__aenter__()
                opened += 1
                await shard.flush()
            await pack(target, collection.path, entries)
        finally:
            for gate in gates[:opened]:
                await gate.__aexit__(None, None, None)

    async def spool_shard(self, collection: Collection, shard: Shard) -> Path:
        """A snapshot for one stream. The caller holds the shard's snapshot lock until the reader is done."""
        collection.assert_local(shard)
        target = self.storage.snapshots_root / "tmp" / f"{collection.name}-shard-{shard.id}-{time.time_ns()}.stream"
        await self._pack_shard(shard, target)
        return target

    # Recover

    async def recover_shard(self, collection: Collection, shard: Shard, request: dict) -> bool:
        location, checksum = request["location"], request.get("checksum")
        temporary = self.storage.temporary(f"{collection.name}-shard-{shard.id}-")
        try:
            scheme = _scheme(location)
            if scheme is None:
                archive = self.file(self.shard_folder(collection, shard), location)
            elif scheme in ("http", "https"):
                archive = await self._download(location, temporary, request.get("api_key"))
            else:
                raise bad_input(f"Invalid snapshot URL {location}: URLs with {scheme} scheme are not supported")
            await self._check(archive, checksum)
            await self._restore_shard(collection, shard, archive, temporary)
            return True
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, True)

    async def upload_shard(self, collection: Collection, shard: Shard, archive: Path, checksum: Optional[str]) -> bool:
        await self._check_upload(archive, checksum)
        temporary = self.storage.temporary(f"{collection.name}-shard-{shard.id}-")
        try:
            await self._restore_shard(collection, shard, archive, temporary)
            return True
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, True)

    async def _restore_shard(self, collection: Collection, shard: Shard, archive: Path, temporary: Path) -> None:
        """Nothing here asks whether the snapshot belongs to this shard: neither does the original."""
        collection.recoveries_running += 1
        try:
            unpacked = temporary / "unpacked"
            await shard.run_task("unpack", {"snapshot": str(archive), "target": str(unpacked)})
            if not (unpacked / "replica_state.json").exists():
                raise service_error(f"Can't restore snapshot in local mode with missing data at shard: {unpacked}")
            if not (unpacked / "segments").is_dir() or not (unpacked / "wal").is_dir():
                raise bad_request("Invalid snapshot")
            await shard.replace(unpacked, collection.payload_schema)
            collection.recovered_at = int(time.time())
        finally:
            collection.recoveries_running -= 1

    async def recover_collection(self, name: str, request: dict) -> bool:
        location = request["location"]
        temporary = self.storage.temporary(f"col-{name}-recovery-")
        try:
            scheme = _scheme(location)
            if scheme == "file":
                archive = self._local(location)
            elif scheme in ("http", "https"):
                archive = await self._download(location, temporary, request.get("api_key"))
            else:
                raise bad_request(f"URL {location} with scheme {scheme} is not supported")
            await self._check(archive, request.get("checksum"))
            return await self._restore_collection(name, archive, temporary)
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, True)

    async def upload_collection(self, name: str, archive: Path, checksum: Optional[str]) -> bool:
        await self._check_upload(archive, checksum)
        temporary = self.storage.temporary(f"col-{name}-recovery-")
        try:
            return await self._restore_collection(name, archive, temporary)
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, True)

    async def _restore_collection(self, name: str, archive: Path, temporary: Path) -> bool:
        unpacked = temporary / "unpacked"
        unpacked.mkdir()
        await unpack(archive, unpacked)
        config, schema = _read_json(unpacked / "config.json"), _read_json(unpacked / "payload_index.json")["schema"]
        if self.storage.exists(name):
            collection = self.storage.find(name)  # its configuration and payload indexes stay as they are
        else:
            collection = await self.storage.create(name, _as_request(config))
            collection.adopt_payload_schema(schema)
        collection.check_compatible(config)
        collection.recoveries_running += 1
        for shard in collection.shards:
            shard.discards_writes += 1  # the replica is deactivated for the whole recovery
        try:
            for shard in collection.shards:
                part = unpacked / str(shard.id)
                if (part / "segments").is_dir() and (part / "wal").is_dir():
                    await shard.replace(part, collection.payload_schema)
            collection.recovered_at = int(time.time())
            return True
        finally:
            for shard in collection.shards:
                shard.discards_writes -= 1
            collection.recoveries_running -= 1

    # Sources

    def _local(self, location: str) -> Path:
        path = Path(location[len("file://") :])
        if not path.is_absolute():
            raise bad_request("Invalid snapshot URI, file path must be absolute or on localhost")
        if not path.exists():
            raise bad_request(f'Snapshot file "{path}" does not exist')
        if not path.resolve().is_relative_to(self.storage.snapshots_root.resolve()):
            raise forbidden(
                f'Snapshot file path must be inside the snapshots directory "{self.storage.snapshots_root.resolve()}"'
            )
        return path.resolve()

    async def _download(self, location: str, temporary: Path, api_key: Optional[str]) -> Path:
        if not self.storage.settings["service"].get("enable_snapshot_url_recovery", True):
            raise forbidden("Snapshot recovery from remote URLs is disabled in the configuration")
        archive = temporary / "download.snapshot"
        await asyncio.to_thread(fetch, location, archive, api_key)
        return archive

    @staticmethod
    async def _check(archive: Path, checksum: Optional[str]) -> None:
        if checksum is not None:
            actual = await asyncio.to_thread(sha256_of, archive)
            if actual.lower() != checksum.lower():
                raise bad_input(f"Snapshot checksum mismatch: expected {checksum}, got {actual}")

    @staticmethod
    async def _check_upload(archive: Path, checksum: Optional[str]) -> None:
        if checksum is not None:
            actual = await asyncio.to_thread(sha256_of, archive)
            if actual.lower() != checksum.lower():
                # expected and actual are swapped in the original, too
                raise ApiError(400, f"Checksum mismatch: expected {actual}, actual {checksum}")


def _second() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d-%H-%M-%S")


def _scheme(location: str) -> Optional[str]:
    scheme, colon, _ = location.partition(":")
    return scheme.lower() if colon and scheme.isascii() and scheme.replace("+", "").isalnum() else None


def _as_request(config: dict) -> dict:
    return {
        **config["params"],
        "hnsw_config": config.get("hnsw_config"),
        "optimizers_config": config.get("optimizer_config"),
        "wal_config": config.get("wal_config"),
        "quantization_config": config.get("quantization_config"),
        "strict_mode_config": config.get("strict_mode_config"),
        "metadata": config.get("metadata"),
    }


def _read_json(path: Path) -> dict:
    import json

    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise service_error(f"Can't read snapshot: {error}") from error
