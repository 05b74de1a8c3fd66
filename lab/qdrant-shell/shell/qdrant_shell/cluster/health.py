"""How a node is: for `/readyz` and for `/cluster`."""

import asyncio
from datetime import UTC, datetime

from ..errors import ApiError
from . import state
from .consensus import LEADER
from .links import PeerUnreachable
from .node import Node


class Health:
    """Whether a node may be sent requests: it knows what the others agreed on, and its replicas are healthy.

    Once true, true for ever; and true where no other node answers.
    """

    def __init__(self, node: Node):
        self._node = node
        self._ready = False

    async def is_ready(self, patience: float) -> bool:
        if not self._ready:
            try:
                async with asyncio.timeout(patience):
                    self._ready = await self._look()
            except TimeoutError:
                pass
        return self._ready

    async def _look(self) -> bool:
        node = self._node
        if node.applied < 0 or node.applied < await self._commit_elsewhere():
            return False
        return all(
            replica_set.table.get(node.peer, state.ACTIVE) == state.ACTIVE
            for collection in node.storage.collections.values()
            for replica_set in collection.shards
        )

    async def _commit_elsewhere(self) -> int:
        async def ask(peer: str) -> int:
            try:
                return int(await self._node.links.call(peer, "commit", {}))
            except (PeerUnreachable, ApiError):
                return 0

        others = [peer for peer in self._node.state["peers"] if peer != self._node.peer]
        return max(await asyncio.gather(*(ask(peer) for peer in others)), default=0)


def describe(node: Node) -> dict:
    consensus, store = node.consensus, node.store
    return {
        "status": "enabled",
        "peer_id": int(node.peer),
        "peers": node.state["peers"],
        "raft_info": {
            "term": store.term,
            "commit": consensus.index,
            "pending_operations": max(consensus.index - node.applied, 0),
            "leader": int(consensus.leader or 0),  # 0 is nobody, as in the original
            "role": LEADER if consensus.leader == node.peer else consensus.role,
            "is_voter": node.peer in node.state["peers"],
        },
        "consensus_thread_status": {
            "consensus_thread_status": "working",
            "last_update": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
        "message_send_failures": {
            uri: known for uri, known in node.links.failures.items() if uri in _uris(node)
        },
    }


def _uris(node: Node) -> set[str]:
    return {known["uri"] for known in node.state["peers"].values()}
