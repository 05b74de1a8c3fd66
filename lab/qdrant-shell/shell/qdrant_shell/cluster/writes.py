"""How a write reaches the replicas of its shard, and what happens to those that fail it."""

import asyncio

from ..errors import ApiError, service_error
from ..shard import Shard
from . import state
from .links import PeerUnreachable
from .options import current

DEACTIVATION_SECONDS = 30.0
ATTEMPTS = 5
_STALE = 412


class Writes:
    def __init__(self, replica_set):
        self._set = replica_set
        self._node = replica_set.node
        self._in_order = asyncio.Lock()

    async def update(self, operation: str, body: bytes) -> None:
        """`weak`: this node spreads the write. Else the highest (living) peer does, one write after the other."""
        ordering, me = current().ordering, self._node.peer
        if ordering == "weak":
            await self._spread(operation, body, current().wait)
            return
        candidates = list(self._set.table) if ordering == "strong" else self._set.usable()
        if not candidates:
            raise service_error(
                f"Cannot update shard {self._set.collection.name}:{self._set.id} with {ordering.capitalize()} "
                "ordering because no leader could be selected"
            )
        leader = max(candidates, key=int)
        if leader == me:
            await self.lead(operation, body, current().wait)
            return
        head = {**self._set.head(), "operation": operation, "wait": current().wait}
        try:
            await self._node.links.call(leader, "lead", head, body)
        except PeerUnreachable as error:
            self._set.disabled.add(leader)
            raise service_error(
                f"Failed to apply update with {ordering.capitalize()} ordering via leader peer {leader}: {error}"
            ) from error

    async def lead(self, operation: str, body: bytes, wait: bool) -> None:
        async with self._in_order:
            await self._spread(operation, body, wait)

    async def _spread(self, operation: str, body: bytes, wait: bool) -> None:
        for _ in range(ATTEMPTS):
            table, peers = dict(self._set.table), self._set.usable()
            if not peers:
                raise service_error(
                    f"The replica set for shard {self._set.id} on peer {self._node.peer} has no active replica"
                )
            outcomes = dict(
                zip(
                    peers,
                    await asyncio.gather(
                        *(self._send(peer, operation, body, table) for peer in peers), return_exceptions=True
                    ),
                )
            )
            stale = [
                int(o.message) for o in outcomes.values() if isinstance(o, ApiError) and o.status == _STALE
            ]
            if not stale:
                await self._judge(outcomes, table, wait)
                return
            await self._node.caught_up(max(stale))
        raise service_error(
            f"Failed to apply operation after {ATTEMPTS} attempts, all attempts were rejected"
        )

    async def _send(self, peer: str, operation: str, body: bytes, table: dict) -> None:
        if peer == self._node.peer:
            await self.apply(operation, body, table)
        else:
            head = {**self._set.head(), "operation": operation, "table": table}
            await self._node.links.call(peer, "update", head, body)

    async def apply(self, operation: str, body: bytes, table: dict) -> None:
        """On the own replica. Refused where replicas have changed since the sender chose whom to send it to."""

        def admit() -> None:
            if self._set.table != table:
                raise ApiError(_STALE, str(self._node.consensus.index))

        await self.local().update(operation, body, admit)

    def local(self) -> Shard:
        if self._set.local is None:
            raise service_error(f"Local shard {self._set.id} not found")
        return self._set.local

    async def _judge(self, outcomes: dict, table: dict, wait: bool) -> None:
        failed = {peer: outcome for peer, outcome in outcomes.items() if outcome is not None}
        for error in failed.values():
            if not isinstance(error, (ApiError, PeerUnreachable)):
                raise error
        if not failed:
            return
        first_peer, first = next(iter(failed.items()))
        wanted = self._set.collection.config["params"]["write_consistency_factor"]
        if len(outcomes) - len(failed) < min(wanted, len(table)):
            raise first if isinstance(first, ApiError) else service_error(str(first))
        for peer in failed:
            self._set.disabled.add(peer)
        if wait and any(_is_transient(error) for error in failed.values()):
            await self._await_deactivation(list(failed), f"Failed peer: {first_peer}, error: {first}")

    async def _await_deactivation(self, peers: list[str], why: str) -> None:
        """Before the write is acknowledged everybody must know who missed it: that takes a majority of peers."""

        def is_agreed() -> bool:
            table = self._set.table
            return not any(table.get(peer) == state.ACTIVE for peer in peers)

        if not await self._node.consensus.changed.until(is_agreed, DEACTIVATION_SECONDS):
            raise service_error(
                f"Some replica of shard {self._set.id} failed to apply operation and deactivation timed out after "
                f"{DEACTIVATION_SECONDS:.0f}s. Consistency of this update is not guaranteed. Please retry. {why}"
            )


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, PeerUnreachable) or (isinstance(error, ApiError) and error.status >= 500)
