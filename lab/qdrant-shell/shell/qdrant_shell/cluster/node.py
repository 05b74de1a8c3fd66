"""This node among the others: joins, follows what is agreed, answers its peers, and mends its replicas."""

import asyncio
import logging
from collections.abc import Awaitable
from urllib.parse import urlsplit


from ..errors import ApiError, bad_input, not_found, service_error
from . import state
from .consensus import Consensus
from .links import Links, PeerUnreachable
from .listener import Listener
from .p2p_tls import contexts
from .signals import Signal
from .storage import ClusterStorage
from .store import Store
from .transfers import Incoming, Outgoing

log = logging.getLogger("qdrant")
MEND_SECONDS = 1.0
SYNC_SECONDS = 5.0


class NotJoined(Exception):
    """The node can't be part of a cluster as it was started."""


class Node:
    def __init__(self, settings: dict, storage: ClusterStorage):
        cluster, service = settings["cluster"], settings["service"]
        key = service.get("api_key") or None
        self.settings = settings
        self.storage = storage
        self.store = Store(storage.root)
        self._server_tls, client_tls = contexts(settings)
        self.links = Links(key, client_tls)
        self.consensus = Consensus(self.store, self.links, cluster["consensus"]["tick_period_ms"] / 1000)
        self.applied = -1
        self.applied_changed = Signal()
        self.failures_changed = Signal()
        self._required_key = key if service.get("enforce_internal_auth") else None
        self._incoming = Incoming(self)
        self._outgoing = Outgoing(self)
        self._tasks: list[asyncio.Task] = []
        self._seen = self.store.state
        storage.node = self

    @property
    def peer(self) -> str:
        return self.store.peer

    @property
    def state(self) -> dict:
        return self.store.state

    # Start

    async def start(self, uri: str | None, bootstrap: str | None) -> None:
        """Before the HTTP port opens: by then the node is a member, or has failed to become one."""
        self.consensus.learn_addresses()
        port = int(self.settings["cluster"]["p2p"]["port"])
        host = self.settings["service"]["host"]
        handlers = {
            "ping": _pong,
            "join": self._on_join,
            "vote": self.consensus.on_vote,
            "append": self.consensus.on_append,
            "propose": self.consensus.on_propose,
            "commit": self._on_commit_asked,
            "synchronized": self._on_synchronized,
            "read": self._on_read,
            "update": self._on_update,
            "lead": self._on_lead,
            **self._incoming.handlers,
        }
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Listener(handlers, self._required_key), host, port, ssl=self._server_tls
        )
        log.info("Qdrant internal gRPC listening on %s", port)
        self._spawn(self.consensus.run())
        if self.store.is_new:
            await self._become_member(_normal(uri), _normal(bootstrap), port)
        elif uri or bootstrap:
            log.debug("Local raft state found - bootstrap and uri cli arguments were ignored")
        self._spawn(self.links.watch(self.peer))
        self._spawn(self._follow())
        self._spawn(self._mend())

    async def _become_member(self, uri: str | None, bootstrap: str | None, port: int) -> None:
        if bootstrap is None or bootstrap == uri:
            if uri is None:
                raise NotJoined("First peer should specify its uri.")
            self.store.found(uri)
            self.consensus.learn_addresses()
            return
        seconds = float(self.settings["cluster"]["consensus"]["bootstrap_timeout_sec"])
        head = {"peer": self.peer, "uri": uri, "port": port, "seconds": seconds}
        try:
            async with asyncio.timeout(seconds):
                await self._ask_to_join(bootstrap, head, seconds)
                await self.consensus.changed.until(lambda: self.peer in self.state["peers"], seconds)
        except (TimeoutError, ApiError) as error:
            raise NotJoined(f"Failed to bootstrap from {bootstrap}: {error or 'timed out'}") from error

    async def _ask_to_join(self, bootstrap: str, head: dict, seconds: float) -> None:
        while True:
            try:
                await self.links.call_uri(bootstrap, "join", head, timeout=seconds)
                self.links.failures.pop(bootstrap, None)
                return
            except PeerUnreachable as error:
                log.warning("Failed to bootstrap, trying again: %s", error)
                await asyncio.sleep(0.2)

    async def _on_join(self, head: dict, _payload: bytes) -> bytes:
        host = f"[{head['remote']}]" if ":" in head["remote"] else head["remote"]
        scheme = "https" if self._server_tls is not None else "http"
        uri = head["uri"] or f"{scheme}://{host}:{head['port']}/"
        await self.consensus.propose({"op": "add_peer", "peer": head["peer"], "uri": uri}, head["seconds"])
        return b""

    def _spawn(self, work: Awaitable) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        task.add_done_callback(_ended)

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._outgoing.close()

    # What is agreed

    async def agree(self, operation: dict, seconds: float, everywhere: bool = False) -> None:
        """Until it is done here; with `everywhere` also on the other peers that answer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        index = await self.consensus.propose(operation, seconds)
        if not await self.applied_changed.until(lambda: self.applied >= index, deadline - loop.time()):
            raise service_error(f"Operation was committed but not applied within {seconds:g}s")
        if everywhere:
            left = max(min(deadline - loop.time(), SYNC_SECONDS), 0.1)
            others = [peer for peer in self.state["peers"] if peer != self.peer]
            calls = (
                self.links.call(peer, "synchronized", {"index": index, "seconds": left}, timeout=left)
                for peer in others
            )
            await asyncio.gather(*calls, return_exceptions=True)

    async def caught_up(self, index: int, seconds: float = 10.0) -> None:
        if not await self.applied_changed.until(lambda: self.applied >= index, seconds):
            raise service_error(f"Peer {self.peer} did not catch up with the consensus within {seconds:g}s")

    async def _follow(self) -> None:
        while True:
            changed = self.consensus.changed.next()
            agreed, index = self.state, self.consensus.index
            if index != self.applied:
                self._notice(agreed)
                try:
                    await self.storage.follow(agreed)
                except Exception:  # noqa: BLE001 - tried again: what is agreed can't be refused
                    log.exception("could not follow what was agreed")
                    await asyncio.sleep(MEND_SECONDS)
                    continue
                self.applied = index
                self.applied_changed.fire()
                self._outgoing.follow(agreed)
                self.failures_changed.fire()
            if index == self.consensus.index:
                await changed

    def _notice(self, agreed: dict) -> None:
        for name, collection in self.storage.collections.items():
            after = agreed["collections"].get(name)
            before = self._seen["collections"].get(name)
            if before and after and before["uuid"] == after["uuid"] == collection.uuid:
                for replica_set, old, new in zip(collection.shards, before["shards"], after["shards"]):
                    replica_set.disabled.on_change(old, new)
        self._seen = agreed

    # Mending

    async def _mend(self) -> None:
        """Tells of replicas that failed a write, and has this node's own dead ones transferred anew."""
        while True:
            changed = self.failures_changed.next()
            if self.consensus.leader is not None:
                for operation in [*self._failures(), *self._recoveries()]:
                    try:
                        await self.agree(operation, MEND_SECONDS * 5)
                    except ApiError as error:
                        log.debug("%s: %s", operation, error.message)
            await self.failures_changed.within(changed, MEND_SECONDS)

    def _failures(self) -> list[dict]:
        now = asyncio.get_running_loop().time()
        return [
            {
                **replica_set.identity(),
                "op": "set_state",
                "peer": peer,
                "state": state.DEAD,
                "from": state.ACTIVE,
            }
            for collection in self.storage.collections.values()
            for replica_set in collection.shards
            for peer in replica_set.disabled.due(now)
        ]

    def _recoveries(self) -> list[dict]:
        """One transfer to this node at a time, as by default."""
        for collection in self.storage.collections.values():
            agreed = self.state["collections"].get(collection.name)
            if agreed is None or any(transfer["to"] == self.peer for transfer in agreed["transfers"]):
                return []
        for collection in self.storage.collections.values():
            for replica_set in collection.shards:
                sources = [peer for peer in replica_set.usable() if peer != self.peer]
                if replica_set.table.get(self.peer) == state.DEAD and sources:
                    transfer = {"from": sources[0], "to": self.peer, "sync": True, "method": "wal_delta"}
                    return [{**replica_set.identity(), "op": "start_transfer", **transfer}]
        return []

    # Answers to peers

    async def _on_commit_asked(self, _head: dict, _payload: bytes) -> bytes:
        return b"%d" % self.consensus.index

    async def _on_synchronized(self, head: dict, _payload: bytes) -> bytes:
        await self.caught_up(head["index"], head["seconds"])
        return b""

    async def replica_set(self, head: dict):
        """The one that a peer speaks of, once this node has caught up with what that peer knows."""
        await self.caught_up(head["index"])
        collection = self.storage.collections.get(head["collection"])
        if collection is None or collection.uuid != head["uuid"]:
            raise not_found(f"Collection `{head['collection']}` doesn't exist!")
        return collection.replica_set(head["shard"])

    async def _on_read(self, head: dict, payload: bytes) -> bytes:
        return await (await self.replica_set(head)).writes.local().read(head["operation"], payload)

    async def _on_update(self, head: dict, payload: bytes) -> bytes:
        await (await self.replica_set(head)).writes.apply(head["operation"], payload, head["table"])
        return b""

    async def _on_lead(self, head: dict, payload: bytes) -> bytes:
        await (await self.replica_set(head)).writes.lead(head["operation"], payload, head["wait"])
        return b""


def _normal(uri: str | None) -> str | None:
    """As the original shows it: with a slash at the end."""
    if uri is None:
        return None
    if not urlsplit(uri).hostname:
        raise bad_input(f"`{uri}` is not the URI of a peer")
    return uri.rstrip("/") + "/"


async def _pong(_head: dict, _payload: bytes) -> bytes:
    return b""


def _ended(task: asyncio.Task) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("Consensus thread stopped with error", exc_info=task.exception())
