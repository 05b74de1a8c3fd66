"""One shard as a node sees it: its own replica, if any, and the others' behind their nodes."""

import asyncio
import json
import logging
import random
import shutil
from contextlib import asynccontextmanager

from ..errors import ApiError, service_error
from ..files import write_durably
from ..shard import Shard
from . import state
from .disabled import Disabled
from .options import current
from .links import PeerUnreachable
from .resolution import needed, resolve
from .writes import Writes

log = logging.getLogger("qdrant")
NOTHING = {"segments_count": 0, "points_count": 0, "indexed_vectors_count": 0, "payload_schema": {}}


class ReplicaSet:
    """Answers like a {@link Shard}, so that a collection routes and merges as on a single node."""

    def __init__(self, collection, shard_id: int):
        self.id = shard_id
        self.collection = collection
        self.node = collection.node
        self.local: Shard | None = None
        self.disabled = Disabled(self)
        self.writes = Writes(self)
        self._told: dict | None = None
        self._restoring = 0

    @property
    def table(self) -> dict[str, str]:
        """As agreed: peer → state of its replica. Empty once the collection is gone."""
        known = self.node.state["collections"].get(self.collection.name)
        if known is None or known["uuid"] != self.collection.uuid:
            return {}
        return known["shards"][self.id]

    @property
    def is_dummy(self) -> bool:
        return self.local is not None and self.local.is_dummy

    def identity(self) -> dict:
        return {"collection": self.collection.name, "uuid": self.collection.uuid, "shard": self.id}

    def head(self) -> dict:
        return {**self.identity(), "index": self.node.consensus.index}

    def usable(self) -> list[str]:
        return [peer for peer in state.active(self.table) if peer not in self.disabled]

    # Reads: the own replica first, the others in any order, and the next one where one fails

    async def read(self, operation: str, body: bytes) -> bytes:
        table, peers = self.table, self.usable()
        count, majority = needed(current().consistency, max(len(table), 1))
        if len(peers) < count:
            raise service_error(
                f"The replica set for shard {self.id} on peer {self.node.peer} does not have enough active replicas"
            )
        random.shuffle(peers)
        peers.sort(key=lambda peer: peer != self.node.peer)
        answers: list[bytes] = []
        failures: list[ApiError] = []
        while peers and len(answers) < count:
            asked, peers = peers[: count - len(answers)], peers[count - len(answers) :]
            for outcome in await asyncio.gather(
                *(self._read(peer, operation, body) for peer in asked), return_exceptions=True
            ):
                if isinstance(outcome, bytes):
                    answers.append(outcome)
                elif isinstance(outcome, ApiError):
                    failures.append(outcome)
                else:
                    raise outcome
        if len(answers) < count:
            raise failures[0]
        return resolve(operation, answers, majority)

    async def _read(self, peer: str, operation: str, body: bytes) -> bytes:
        if peer == self.node.peer:
            if self.local is None:
                raise service_error(f"Local shard {self.id} not found")
            return await self.local.read(operation, body)
        try:
            return await self.node.links.call(peer, "read", {**self.head(), "operation": operation}, body)
        except PeerUnreachable as error:
            raise service_error(str(error)) from error

    async def info(self) -> dict:
        if self.local is not None:
            return await self.local.info()
        try:
            return json.loads(await self.read("info", b"{}"))
        except ApiError:
            return NOTHING

    async def update(self, operation: str, body: bytes) -> None:
        await self.writes.update(operation, body)

    async def update_index(self, operation: str, body: bytes) -> None:
        if self.local is not None:
            await self.local.update_index(operation, body)

    # Following what was agreed

    async def follow(self) -> None:
        """Makes or drops the own replica, and writes down who holds which, as every node does for every shard."""
        table, me = dict(self.table), self.node.peer
        if me in table and self.local is None:
            await self._make()
        elif me not in table and self.local is not None and not self._restoring:
            local, self.local = self.local, None
            await local.close()
            await asyncio.to_thread(shutil.rmtree, local.path, True)
        if self._told != table:
            self._tell(table)
            self._told = table

    @asynccontextmanager
    async def restoring(self):
        """The own replica, to be replaced: made where there is none, and kept until the others know of it."""
        self._restoring += 1
        try:
            if self.local is None:
                await self._make()
            yield self.local
        finally:
            self._restoring -= 1
            await self.follow()

    async def _make(self) -> None:
        shard = self.collection.new_shard(self.id)
        await asyncio.to_thread(shutil.rmtree, shard.path, True)
        await shard.create(self.collection.config["params"])
        self.local = shard

    async def load(self) -> None:
        """The description of who holds what is written last: without it the own replica was never finished."""
        shard = self.collection.new_shard(self.id)
        told = shard.path / "replica_state.json"
        if told.exists() and json.loads(told.read_bytes())["is_local"]:
            await shard.load(self.collection.payload_schema)
            self.local = shard

    def _tell(self, table: dict[str, str]) -> None:
        folder = self.collection.path / str(self.id)
        folder.mkdir(exist_ok=True)
        content = {
            "is_local": self.local is not None,
            "this_peer_id": int(self.node.peer),
            "peers": table,
            "version": "V1",
        }
        write_durably(folder / "replica_state.json", json.dumps(content).encode())
        write_durably(folder / "shard_config.json", json.dumps({"type": "ReplicaSet"}).encode())

    async def close(self) -> None:
        if self.local is not None:
            await self.local.close()
