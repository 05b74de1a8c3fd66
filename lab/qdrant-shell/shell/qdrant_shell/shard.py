"""One shard of a collection: its folder, its process, and what it answers while it is being replaced."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson

from .errors import service_error
from .files import create_durably
from .gate import WriteGate
from .shard_client import ShardClient
from .spawner import Spawner

DIRTY = "Dirty shard - shard is not fully initialized"
DESCRIPTION_PARTS = ("replica_state.json", "shard_config.json")
SNAPSHOT_PARTS = ("segments", "wal", *DESCRIPTION_PARTS)


class Shard:
    def __init__(self, collection_path: Path, shard_id: int, spawner: Spawner, on_lost: Callable[[], None]):
        self.id = shard_id
        self.path = collection_path / str(shard_id)
        self.gate = WriteGate()
        self.snapshot_lock = asyncio.Lock()
        self._flag = collection_path / f"shard_{shard_id}.initializing"
        self._spawner = spawner
        self._on_lost = on_lost
        self._client: ShardClient | None = None
        self._dummy: str | None = None
        self._restore_lock = asyncio.Lock()
        self.recovering = 0
        self.discards_writes = 0
        self.journal: list[tuple[str, bytes]] | None = None  # while a transfer must hear of every write

    async def create(self, params: dict) -> None:
        self.path.mkdir(parents=True)
        client = await self._start()
        await client.call_json("create", {"path": str(self.path), "params": params})
        self._client = client
        (self.path / "replica_state.json").write_text(
            json.dumps({"is_local": True, "this_peer_id": 0, "peers": {"0": "Active"}, "version": "V1"})
        )
        (self.path / "shard_config.json").write_text(json.dumps({"type": "ReplicaSet"}))

    async def load(self, payload_schema: dict) -> None:
        """A shard whose replacement was interrupted is kept as a dummy: Active, empty, and 500 on every read."""
        if self._flag.exists():
            self._dummy = DIRTY
            return
        client = await self._start()
        await client.call_json("load", {"path": str(self.path), "payload_schema": payload_schema})
        self._client = client

    async def read(self, operation: str, body: bytes) -> bytes:
        return await self._readable(operation).call(operation, body)

    async def update(self, operation: str, body: bytes, admit: Callable[[], None] | None = None) -> None:
        """`admit` may refuse once the write's turn has come."""
        if self.discards_writes:
            return  # acknowledged and lost, as measured: nothing may write while a snapshot is restored
        if self._dummy is not None:
            raise service_error(f"Failed to Update Points,  {self._dummy}")
        async with self.gate.writing():
            if self.discards_writes:
                return
            if admit is not None:
                admit()
            if self.journal is not None:
                self.journal.append((operation, body))
            await self._readable(operation).call(operation, body)

    async def update_index(self, operation: str, body: bytes) -> None:
        if self._dummy is not None or self.discards_writes:
            return  # recreated from the collection's schema once the shard is restored
        async with self.gate.writing():
            await self._readable(operation).call(operation, body)

    async def info(self) -> dict:
        if self._dummy is not None or self._client is None:
            return {"segments_count": 0, "points_count": 0, "indexed_vectors_count": 0, "payload_schema": {}}
        return orjson.loads(await self._client.call("info"))

    @property
    def is_dummy(self) -> bool:
        return self._dummy is not None

    async def flush(self) -> None:
        await self._readable("create snapshot").call("flush")

    async def replace(self, unpacked: Path, payload_schema: dict) -> None:
        """Puts an unpacked snapshot in the place of the shard's data. The flag outlives a crash in between."""
        async with self._restore_lock:
            self.discards_writes += 1
            try:
                create_durably(self._flag)
                async with self.gate.frozen():
                    client, self._client = self._client, None
                    if client is not None:
                        await client.close()
                    await asyncio.to_thread(self._move_in, unpacked)
                    self._client = await self._reopen(payload_schema)
                self._dummy = None
                self._flag.unlink(missing_ok=True)
            finally:
                self.discards_writes -= 1

    async def _reopen(self, payload_schema: dict) -> ShardClient:
        client = await self._start()
        try:
            await client.call_json("load", {"path": str(self.path), "payload_schema": payload_schema})
        except Exception as error:
            self._dummy = f"Failed to load local shard {str(self.path)!r}: {error}"
            await client.close()
            raise
        return client

    def _move_in(self, unpacked: Path) -> None:
        for entry in ("segments", "wal", "edge_config.json"):
            old = self.path / entry
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
        for entry in ("segments", "wal"):
            if (unpacked / entry).exists():
                os.rename(unpacked / entry, self.path / entry)

    async def run_task(self, operation: str, body: dict) -> None:
        """Engine work on files that no shard has open, in a process of its own."""
        client = await self._start()
        try:
            await client.call_json(operation, body)
        finally:
            await client.close()

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _start(self) -> ShardClient:
        return await ShardClient.connect(self._spawner.spawn(), self._on_lost)

    def _readable(self, operation: str) -> ShardClient:
        if self._dummy is not None:
            raise service_error(f"Failed to {operation},  {self._dummy}")
        if self._client is None:
            raise service_error(f"Local shard {self.id} not found")
        return self._client
