"""One collection: its configuration, its shards, and the routing and merging between them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from . import merge
from .collection_config import initial_config, parameters_changed
from .errors import ApiError, bad_input, not_found, service_error
from .files import write_durably
from .filters import point_id
from .resolve import resolve_ids
from .routing import shard_of
from .schema import schema_type
from .shard import Shard
from .spawner import Spawner
from .vectors import id_output

VERSION = "1.18.3"


class Collection:
    peer_id = 0  # of a single node

    def __init__(
        self, name: str, path: Path, config: dict, payload_schema: dict, spawner: Spawner, on_lost: Callable
    ):
        self.name = name
        self.path = path
        self.config = config
        self.payload_schema = payload_schema
        self.operations = 0
        self.snapshots_created = 0
        self.snapshots_running = 0
        self.recoveries_running = 0
        self.recovered_at = 0
        self._spawner = spawner
        self._on_lost = on_lost
        self.shards = [self._shard(i) for i in range(config["params"]["shard_number"])]

    def _shard(self, shard_id: int) -> Any:
        return self.new_shard(shard_id)

    def new_shard(self, shard_id: int) -> Shard:
        return Shard(self.path, shard_id, self._spawner, self._on_lost)

    @property
    def local_shards(self) -> list[Shard]:
        """Those with data on this node."""
        return self.shards

    @classmethod
    async def create(
        cls, name: str, path: Path, request: dict, settings: dict, spawner: Spawner, on_lost: Callable
    ):
        config = initial_config(request, settings)
        path.mkdir(parents=True)
        collection = cls(name, path, config, {}, spawner, on_lost)
        for shard in collection.shards:
            await shard.create(config["params"])
        write_durably(path / "version.info", VERSION.encode())
        collection._save_payload_schema()
        collection.save_config()  # last: a folder without it is an interrupted creation
        return collection

    @classmethod
    async def load(cls, path: Path, spawner: Spawner, on_lost: Callable) -> "Collection":
        config = json.loads((path / "config.json").read_bytes())
        schema_file = path / "payload_index.json"
        schema = json.loads(schema_file.read_bytes())["schema"] if schema_file.exists() else {}
        collection = cls(path.name, path, config, schema, spawner, on_lost)
        await asyncio.gather(*(shard.load(schema) for shard in collection.shards))
        return collection

    def save_config(self) -> None:
        write_durably(self.path / "config.json", json.dumps(self.config).encode())

    def _save_payload_schema(self) -> None:
        write_durably(self.path / "payload_index.json", json.dumps({"schema": self.payload_schema}).encode())

    async def change(self, request: dict) -> None:
        self.config = parameters_changed(self.config, request)
        self.save_config()

    def check_shard(self, shard_id: int) -> None:
        if not 0 <= shard_id < len(self.shards):
            raise not_found(f"shard {shard_id} not found")

    def shard(self, shard_id: int) -> Shard:
        """The one on this node."""
        self.check_shard(shard_id)
        return self.shards[shard_id]

    async def close(self) -> None:
        await asyncio.gather(*(shard.close() for shard in self.shards))

    # Writes

    async def update(self, kind: str, raw: bytes, wait: bool) -> dict:
        self.operations += 1
        operation = self.operations
        try:
            await self._route(kind, raw)
        except ApiError as error:
            if wait or error.message.startswith("Format error"):
                raise  # without `wait` only what is refused before it is queued is told
        return {"operation_id": operation, "status": "completed" if wait else "acknowledged"}

    async def _route(self, kind: str, raw: bytes) -> None:
        if len(self.shards) == 1:
            await self.shards[0].update(kind, raw)
            return
        parts = merge.split(
            kind, orjson.loads(raw), lambda i: shard_of(i, len(self.shards)), len(self.shards)
        )
        await asyncio.gather(*(self.shards[i].update(kind, orjson.dumps(body)) for i, body in parts.items()))

    async def batch(self, operations: list, wait: bool) -> list:
        return [await self.update(kind, orjson.dumps(body), wait) for kind, body in operations]

    async def create_index(self, field: str, schema: Any, wait: bool) -> dict:
        schema_type(schema)
        body = orjson.dumps({"field_name": field, "field_schema": schema})
        await asyncio.gather(*(shard.update_index("create_index", body) for shard in self.shards))
        self.payload_schema[field] = schema
        self._save_payload_schema()
        self.operations += 1
        return {"operation_id": self.operations, "status": "completed" if wait else "acknowledged"}

    async def delete_index(self, field: str, wait: bool) -> dict:
        if self.payload_schema.pop(field, None) is not None:
            body = orjson.dumps({"field_name": field})
            await asyncio.gather(*(shard.update_index("delete_index", body) for shard in self.shards))
            self._save_payload_schema()
        self.operations += 1
        return {"operation_id": self.operations, "status": "completed" if wait else "acknowledged"}

    # Reads

    async def _all(self, operation: str, body: bytes) -> list[bytes]:
        return await asyncio.gather(*(shard.read(operation, body) for shard in self.shards))

    async def search(self, body: dict) -> bytes:
        if len(self.shards) == 1:
            return await self.shards[0].read("search", orjson.dumps(body))
        limit, offset = body["limit"], body.get("offset") or 0
        parts = await self._all("search", orjson.dumps({**body, "limit": limit + offset, "offset": 0}))
        return orjson.dumps(merge.scored(parts, limit, offset, self._smaller_is_better(body)))

    async def query(self, body: dict, find_collection: Callable[[str], "Collection"]) -> bytes:
        body = await resolve_ids(self, body, find_collection)
        if len(self.shards) == 1:
            return await self.shards[0].read("query", orjson.dumps(body))
        limit = 10 if body.get("limit") is None else body["limit"]
        offset = body.get("offset") or 0
        parts = await self._all("query", orjson.dumps({**body, "limit": limit + offset, "offset": 0}))
        return orjson.dumps(merge.queried(parts, limit, offset, body, self._smaller_is_better(body)))

    async def scroll(self, body: dict) -> bytes:
        if len(self.shards) == 1:
            return await self.shards[0].read("scroll", orjson.dumps(body))
        limit = 10 if body.get("limit") is None else body["limit"]
        parts = await self._all("scroll", orjson.dumps({**body, "limit": limit + 1}))
        return orjson.dumps(merge.scrolled(parts, limit, body.get("order_by")))

    async def retrieve(self, body: dict) -> bytes:
        if len(self.shards) == 1:
            return await self.shards[0].read("retrieve", orjson.dumps(body))
        ids = [id_output(point_id(wanted)) for wanted in body["ids"]]
        parts = await self._all("retrieve", orjson.dumps(body))
        found = {record["id"]: record for part in parts for record in orjson.loads(part)}
        return orjson.dumps([found[i] for i in ids if i in found])

    async def count(self, body: bytes) -> int:
        return sum(int(part) for part in await self._all("count", body))

    async def facet(self, body: dict) -> list:
        limit = body.get("limit") or 10
        wide = {**body, "limit": limit if len(self.shards) == 1 else 1_000_000}
        return merge.faceted(await self._all("facet", orjson.dumps(wide)), limit)

    async def point(self, wanted: Any, body: dict | None = None) -> dict:
        known = point_id(wanted)
        found = orjson.loads(await self.retrieve({"ids": [wanted], **(body or {"with_vector": True})}))
        if not found:
            raise not_found(f"Point with id {known} does not exists!")
        return found[0]

    def _smaller_is_better(self, body: dict) -> bool:
        vectors = self.config["params"].get("vectors") or {}
        name = body.get("using")
        vector = body.get("vector")
        if isinstance(vector, dict):
            name = vector.get("name")
        params = vectors if "size" in vectors else vectors.get(name or "", {})
        return params.get("distance") in ("Euclid", "Manhattan")

    # Descriptions

    async def info(self) -> dict:
        infos = await asyncio.gather(*(shard.info() for shard in self.shards))
        schema = {}
        for field, wanted in self.payload_schema.items():
            entry: dict = {"data_type": schema_type(wanted)}
            if isinstance(wanted, dict):
                entry["params"] = wanted
            entry["points"] = sum(info["payload_schema"].get(field, {}).get("points", 0) for info in infos)
            schema[field] = entry
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": sum(info["indexed_vectors_count"] for info in infos),
            "points_count": sum(info["points_count"] for info in infos),
            "segments_count": sum(info["segments_count"] for info in infos),
            "config": self.config,
            "payload_schema": schema,
            "update_queue": {"length": 0},
        }

    async def cluster_info(self) -> dict:
        infos = await asyncio.gather(*(shard.info() for shard in self.shards))
        return {
            "peer_id": self.peer_id,
            "shard_count": len(self.shards),
            "local_shards": [
                {"shard_id": shard.id, "points_count": info["points_count"], "state": "Active"}
                for shard, info in zip(self.shards, infos)
            ],
            "remote_shards": [],
            "shard_transfers": [],
        }

    def check_compatible(self, other: dict) -> None:
        mine, theirs = self.config["params"], other["params"]
        for label, key in (("vectors", "vectors"), ("shard number", "shard_number")):
            if mine.get(key) != theirs.get(key):
                raise bad_input(
                    "Snapshot is not compatible with existing collection: "
                    f"Collection {label}: {mine.get(key)} Snapshot {label}: {theirs.get(key)}"
                )

    def adopt_payload_schema(self, schema: dict) -> None:
        self.payload_schema = dict(schema)
        self._save_payload_schema()

    def assert_local(self, shard: Shard) -> None:
        if shard.is_dummy:
            raise service_error(f"Failed to create snapshot,  shard {shard.id} is a dummy")
