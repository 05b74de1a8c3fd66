"""Recovering shards and collections from snapshots, with the original's sharp edges."""

import asyncio
import json
import shutil
import time
from pathlib import Path

from .collection import Collection
from .download import fetch
from .errors import ApiError, bad_input, bad_request, forbidden, service_error
from .files import sha256_of, unpack
from .snapshots import Snapshots
from .storage import Storage


class Recovery:
    def __init__(self, storage: Storage, snapshots: Snapshots):
        self.storage = storage
        self.snapshots = snapshots

    async def recover_shard(self, collection: Collection, shard_id: int, request: dict) -> bool:
        location, checksum = request["location"], request.get("checksum")
        temporary = self.storage.temporary(f"{collection.name}-shard-{shard_id}-")
        try:
            scheme = _scheme(location)
            if scheme is None:
                archive = self.snapshots.file(self.snapshots.shard_folder(collection, shard_id), location)
            elif scheme in ("http", "https"):
                archive = await self._download(location, temporary, request.get("api_key"))
            else:
                raise bad_input(
                    f"Invalid snapshot URL {location}: URLs with {scheme} scheme are not supported"
                )
            await self._check(archive, checksum)
            await self._restore_shard(collection, shard_id, archive, temporary, request.get("priority"))
            return True
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, True)

    async def upload_shard(
        self, collection: Collection, shard_id: int, archive: Path, checksum: str | None, priority: str | None
    ) -> bool:
        await self.check_upload(archive, checksum)
        temporary = self.storage.temporary(f"{collection.name}-shard-{shard_id}-")
        try:
            await self._restore_shard(collection, shard_id, archive, temporary, priority)
            return True
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, True)

    async def _restore_shard(
        self, collection: Collection, shard_id: int, archive: Path, temporary: Path, priority: str | None
    ) -> None:
        """Nothing here asks whether the snapshot belongs to this shard: neither does the original."""
        collection.recoveries_running += 1
        try:
            unpacked = temporary / "unpacked"
            work = {"snapshot": str(archive), "target": str(unpacked)}
            await collection.new_shard(shard_id).run_task("unpack", work)
            check_part(unpacked)
            await self._replace(collection, shard_id, unpacked, priority)
            collection.recovered_at = int(time.time())
        finally:
            collection.recoveries_running -= 1

    async def _replace(
        self, collection: Collection, shard_id: int, unpacked: Path, _priority: str | None
    ) -> None:
        await collection.shard(shard_id).replace(unpacked, collection.payload_schema)

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
            return await self._restore_collection(name, archive, temporary, request.get("priority"))
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, True)

    async def upload_collection(self, name: str, archive: Path, priority: str | None) -> bool:
        temporary = self.storage.temporary(f"col-{name}-recovery-")
        try:
            return await self._restore_collection(name, archive, temporary, priority)
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, True)

    async def _restore_collection(
        self, name: str, archive: Path, temporary: Path, priority: str | None
    ) -> bool:
        unpacked = temporary / "unpacked"
        unpacked.mkdir()
        await unpack(archive, unpacked)
        config, schema = (
            _read_json(unpacked / "config.json"),
            _read_json(unpacked / "payload_index.json")["schema"],
        )
        if self.storage.exists(name):
            collection = self.storage.find(name)  # its configuration and payload indexes stay as they are
        else:
            collection = await self.storage.create(name, _as_request(config), schema)
        collection.check_compatible(config)
        collection.recoveries_running += 1
        try:
            await self._replace_all(collection, unpacked, priority)
            collection.recovered_at = int(time.time())
            return True
        finally:
            collection.recoveries_running -= 1

    async def _replace_all(self, collection: Collection, unpacked: Path, _priority: str | None) -> None:
        for shard in collection.shards:
            check_part(unpacked / str(shard.id))
        for shard in collection.shards:
            shard.discards_writes += 1  # the replica is deactivated for the whole recovery
        try:
            for shard in collection.shards:
                await shard.replace(unpacked / str(shard.id), collection.payload_schema)
        finally:
            for shard in collection.shards:
                shard.discards_writes -= 1

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

    async def _download(self, location: str, temporary: Path, api_key: str | None) -> Path:
        if not self.storage.settings["service"].get("enable_snapshot_url_recovery", True):
            raise forbidden("Snapshot recovery from remote URLs is disabled in the configuration")
        archive = temporary / "download.snapshot"
        await asyncio.to_thread(fetch, location, archive, api_key)
        return archive

    @staticmethod
    async def _check(archive: Path, checksum: str | None) -> None:
        if checksum is not None:
            actual = await asyncio.to_thread(sha256_of, archive)
            if actual.lower() != checksum.lower():
                raise bad_input(f"Snapshot checksum mismatch: expected {checksum}, got {actual}")

    @staticmethod
    async def check_upload(archive: Path, checksum: str | None) -> None:
        if checksum is not None:
            actual = await asyncio.to_thread(sha256_of, archive)
            if actual.lower() != checksum.lower():
                # expected and actual are swapped in the original, too
                raise ApiError(400, f"Checksum mismatch: expected {actual}, actual {checksum}")


def _scheme(location: str) -> str | None:
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


def has_data(unpacked: Path) -> bool:
    state = unpacked / "replica_state.json"
    return state.exists() and bool(_read_json(state).get("is_local"))


def check_part(unpacked: Path) -> None:
    """A single node needs the data of every shard; a snapshot of a node that held none is refused."""
    if not has_data(unpacked):
        raise service_error(f"Can't restore snapshot in local mode with missing data at shard: {unpacked}")
    if not (unpacked / "segments").is_dir() or not (unpacked / "wal").is_dir():
        raise bad_request("Invalid snapshot")


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise service_error(f"Can't read snapshot: {error}") from error
