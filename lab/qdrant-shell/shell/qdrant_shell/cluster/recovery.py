"""Recovering on one node of a cluster: the snapshot's shards come here, and `priority` says who is right afterwards."""

import logging
from pathlib import Path

from ..errors import ApiError
from ..recovery import Recovery, check_part, has_data
from ..snapshots import Snapshots
from ..storage import Storage
from . import state
from .collection import DistributedCollection
from .node import Node
from .replica_set import ReplicaSet

log = logging.getLogger("qdrant")
AGREE_SECONDS = 10.0


class ClusterRecovery(Recovery):
    def __init__(self, storage: Storage, snapshots: Snapshots, node: Node):
        super().__init__(storage, snapshots)
        self.node = node

    async def _replace(  # type: ignore[override]
        self, collection: DistributedCollection, shard_id: int, unpacked: Path, priority: str | None
    ) -> None:
        await self._bring(collection.replica_set(shard_id), unpacked, priority, whole=False)

    async def _replace_all(  # type: ignore[override]
        self, collection: DistributedCollection, unpacked: Path, priority: str | None
    ) -> None:
        """A shard without data in the snapshot is passed over, and nobody is told."""
        before = {shard.id: shard.table.get(self.node.peer) for shard in collection.shards}
        for replica_set in collection.shards:
            if before[replica_set.id] is not None:
                await self._set(replica_set, state.MANUAL)
        for replica_set in collection.shards:
            part = unpacked / str(replica_set.id)
            if has_data(part):
                check_part(part)
                await self._bring(replica_set, part, priority, whole=True)
            elif before[replica_set.id] is not None:
                log.debug("Shard %s is not in snapshot", replica_set.id)
                await self._set(replica_set, str(before[replica_set.id]))

    async def _bring(
        self, replica_set: ReplicaSet, unpacked: Path, priority: str | None, whole: bool
    ) -> None:
        async with replica_set.restoring() as shard:
            await shard.replace(unpacked, replica_set.collection.payload_schema)
            operation = {
                **replica_set.identity(),
                "op": "restored",
                "peer": self.node.peer,
                "priority": priority or "replica",
                "whole_collection": whole,
            }
            await self.node.agree(operation, AGREE_SECONDS)

    async def _set(self, replica_set: ReplicaSet, value: str) -> None:
        operation = {**replica_set.identity(), "op": "set_state", "peer": self.node.peer, "state": value}
        try:
            await self.node.agree(operation, AGREE_SECONDS)
        except ApiError as error:
            if error.status >= 500:
                raise
            log.debug("%s", error.message)  # the last active replica stays so
