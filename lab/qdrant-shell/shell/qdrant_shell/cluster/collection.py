"""A collection whose shards are spread over the peers; what it is made of was agreed by all of them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..collection import VERSION, Collection
from ..errors import bad_input
from ..files import write_durably
from ..schema import schema_type
from ..shard import Shard
from ..spawner import Spawner
from .options import current
from .replica_set import ReplicaSet


class DistributedCollection(Collection):
    shards: list[ReplicaSet]

    def __init__(
        self,
        name: str,
        path: Path,
        uuid: str,
        config: dict,
        schema: dict,
        node,
        spawner: Spawner,
        on_lost: Callable,
    ):
        self.node = node
        self.uuid = uuid
        super().__init__(name, path, config, schema, spawner, on_lost)

    def _shard(self, shard_id: int) -> ReplicaSet:
        return ReplicaSet(self, shard_id)

    @classmethod
    async def make(cls, name: str, path: Path, wanted: dict, node, spawner: Spawner, on_lost: Callable):
        path.mkdir(parents=True, exist_ok=True)
        schema = dict(wanted["schema"])
        made = cls(name, path, wanted["uuid"], wanted["config"], schema, node, spawner, on_lost)
        write_durably(path / "version.info", VERSION.encode())
        made._save_payload_schema()
        for replica_set in made.shards:
            await replica_set.follow()
        made.save_config()  # last: a folder without it is an interrupted creation
        return made

    @classmethod
    async def open(cls, path: Path, node, spawner: Spawner, on_lost: Callable) -> "DistributedCollection":
        config = json.loads((path / "config.json").read_bytes())
        uuid = config.pop("uuid", "")
        schema = json.loads((path / "payload_index.json").read_bytes())["schema"]
        opened = cls(path.name, path, uuid, config, schema, node, spawner, on_lost)
        await asyncio.gather(*(replica_set.load() for replica_set in opened.shards))
        return opened

    def save_config(self) -> None:
        content = {**self.config, "uuid": self.uuid}
        write_durably(self.path / "config.json", json.dumps(content).encode())

    @property
    def local_shards(self) -> list[Shard]:
        return [replica_set.local for replica_set in self.shards if replica_set.local is not None]

    @property
    def peer_id(self) -> int:
        return int(self.node.peer)

    def replica_set(self, shard_id: int) -> ReplicaSet:
        self.check_shard(shard_id)
        return self.shards[shard_id]

    def shard(self, shard_id: int) -> Shard:
        local = self.replica_set(shard_id).local
        if local is None:
            raise bad_input(f"Shard {shard_id} is not a local or queue proxy shard")
        return local

    # Agreed by the peers first, then followed by each

    async def follow(self, wanted: dict) -> None:
        if self.config != wanted["config"]:
            self.config = wanted["config"]
            self.save_config()
        for replica_set in self.shards:
            await replica_set.follow()
        if self.payload_schema != wanted["schema"]:
            await self._follow_schema(wanted["schema"])

    async def _follow_schema(self, wanted: dict) -> None:
        before, self.payload_schema = self.payload_schema, dict(wanted)
        for field in before:
            if field not in wanted:
                body = json.dumps({"field_name": field}).encode()
                await asyncio.gather(*(s.update_index("delete_index", body) for s in self.local_shards))
        for field, schema in wanted.items():
            if before.get(field) != schema:
                body = json.dumps({"field_name": field, "field_schema": schema}).encode()
                await asyncio.gather(*(s.update_index("create_index", body) for s in self.local_shards))
        self._save_payload_schema()

    async def _agree(self, operation: dict) -> None:
        await self.node.agree({**operation, "collection": self.name, "uuid": self.uuid}, current().timeout)

    async def change(self, request: dict) -> None:
        await self._agree({"op": "change", "request": request})

    async def create_index(self, field: str, schema: Any, wait: bool) -> dict:
        schema_type(schema)
        return await self._index(field, schema, wait)

    async def delete_index(self, field: str, wait: bool) -> dict:
        return await self._index(field, None, wait)

    async def _index(self, field: str, schema: Any, wait: bool) -> dict:
        await self._agree({"op": "index", "field": field, "schema": schema})
        self.operations += 1
        return {"operation_id": self.operations, "status": "completed" if wait else "acknowledged"}

    # Descriptions

    async def cluster_info(self) -> dict:
        me = self.node.peer
        agreed = self.node.state["collections"].get(self.name) or {"transfers": []}
        local: list[dict] = []
        remote: list[dict] = []
        for replica_set in self.shards:
            for peer, value in replica_set.table.items():
                if peer != me:
                    remote.append({"shard_id": replica_set.id, "peer_id": int(peer), "state": value})
                elif replica_set.local is not None:
                    points = (await replica_set.local.info())["points_count"]
                    local.append({"shard_id": replica_set.id, "points_count": points, "state": value})
        return {
            "peer_id": self.peer_id,
            "shard_count": len(self.shards),
            "local_shards": local,
            "remote_shards": remote,
            "shard_transfers": [
                {
                    "shard_id": transfer["shard"],
                    "from": int(transfer["from"]),
                    "to": int(transfer["to"]),
                    "sync": transfer["sync"],
                    "method": transfer["method"],
                }
                for transfer in agreed["transfers"]
            ],
        }
