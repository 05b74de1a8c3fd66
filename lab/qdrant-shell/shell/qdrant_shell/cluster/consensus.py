"""A simplified Raft: the log holds one entry, the whole agreed state, which every proposal replaces.

Terms, votes, pre-votes and the rule that a leader commits only what it accepted in its own term are Raft's.
Membership changes need a majority both of the old and of the new peers. Everything that others may rely on is on
disk before it is answered.
"""

import asyncio
import logging
import random

import orjson

from ..errors import ApiError, service_error
from . import state
from .links import Links, PeerUnreachable
from .signals import Signal
from .store import Position, Store

log = logging.getLogger("qdrant")
ELECTION_TICKS = 10
LEADER, FOLLOWER, CANDIDATE = "Leader", "Follower", "Candidate"


class Consensus:
    def __init__(self, store: Store, links: Links, tick_seconds: float):
        self.store = store
        self.links = links
        self.role = FOLLOWER
        self.leader: str | None = None
        self.changed = Signal()  # role, leader, or what is committed
        self._beat = tick_seconds * 2
        self._patience = tick_seconds * ELECTION_TICKS
        self._kick = Signal()
        self._heard = 0.0  # from a leader
        self._heard_from: dict[str, float] = {}
        self._matched: dict[str, Position] = {}
        self._replicators: dict[tuple[str, int], asyncio.Task] = {}

    @property
    def index(self) -> int:
        return self.store.committed["index"]

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _others(self) -> set[str]:
        return (set(self.store.accepted["state"]["peers"]) | set(self.store.state["peers"])) - {
            self.store.peer
        }

    def _is_quorum(self, peers: set[str]) -> bool:
        configurations = [self.store.accepted["state"]["peers"], self.store.state["peers"]]
        return all(2 * len(peers & set(members)) > len(members) for members in configurations if members)

    def learn_addresses(self) -> None:
        for known in (self.store.state, self.store.accepted["state"]):
            self.links.uris.update({peer: value["uri"] for peer, value in known["peers"].items()})

    # Proposals

    async def propose(self, operation: dict, seconds: float) -> int:
        """The index by which the operation is committed. Refusals are raised as the API's errors."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        if not await self.changed.until(lambda: self.leader is not None, seconds):
            raise service_error(f"Failed to propose operation: leader is not established within {seconds:g}s")
        left = max(deadline - loop.time(), 0.001)
        if self.leader == self.store.peer:
            return await self.lead(operation, left)
        head = {"operation": operation, "seconds": left}
        try:
            answer = await self.links.call(str(self.leader), "propose", head, timeout=left + self._beat)
        except PeerUnreachable as error:
            raise service_error(f"Failed to propose operation: {error}") from error
        return int(answer)

    async def lead(self, operation: dict, seconds: float) -> int:
        if self.role != LEADER:
            raise service_error("Failed to propose operation: this peer is not the leader")
        store, term = self.store, self.store.term
        after = state.applied(store.accepted["state"], operation)
        if after != store.accepted["state"]:
            store.accept(term, store.accepted["index"] + 1, after)
            self.learn_addresses()
            self._matched_self()
        target = store.accepted["index"]
        done = await self.changed.until(lambda: self.index >= target or store.term != term, seconds)
        if not done or store.term != term:
            raise service_error(
                f"Waiting for consensus operation commit failed. Timeout set at: {seconds:.0f} seconds"
            )
        return target

    async def on_propose(self, head: dict, _payload: bytes) -> bytes:
        return b"%d" % await self.lead(head["operation"], head["seconds"])

    # Leading

    def _become_leader(self) -> None:
        store = self.store
        self.role, self.leader = LEADER, store.peer
        now = self._now()
        self._heard_from = dict.fromkeys(self._others(), now)
        self._matched = {}
        store.accept(store.term, store.accepted["index"] + 1, store.accepted["state"])
        log.info("became leader at term %s", store.term)
        self._matched_self()

    def _step_down(self, term: int | None = None) -> None:
        if term is not None and term > self.store.term:
            self.store.enter(term, None)
            self.leader = None
        if self.role == LEADER or self.leader == self.store.peer:
            self.leader = None
        self.role = FOLLOWER
        self._heard = self._now()
        self.changed.fire()

    def _matched_self(self) -> None:
        """Commits what a majority has, and lets the followers know."""
        store = self.store
        having = {peer for peer, position in self._matched.items() if position == store.position}
        if not store.is_committed and self._is_quorum(having | {store.peer}):
            store.commit()
        self._replicators = {key: task for key, task in self._replicators.items() if not task.done()}
        for peer in self._others():
            self._heard_from.setdefault(peer, self._now())
            key = (peer, store.term)
            if key not in self._replicators:
                self._replicators[key] = asyncio.ensure_future(self._replicate(*key))
        self.changed.fire()
        self._kick.fire()

    async def _replicate(self, peer: str, term: int) -> None:
        store, known = self.store, None
        while self.role == LEADER and store.term == term:
            gone = peer not in self._others()
            kicked = self._kick.next()
            position, committed = store.position, store.is_committed
            head = {"term": term, "leader": store.peer, "position": position, "committed": committed}
            payload = b"" if known == position else orjson.dumps(store.accepted["state"])
            try:
                answer = orjson.loads(await self.links.call(peer, "append", head, payload, self._patience))
            except (PeerUnreachable, ApiError):
                known = None
            else:
                if answer["term"] > term:
                    self._step_down(answer["term"])
                    return
                known = tuple(answer["position"])
                self._heard_from[peer] = self._now()
                if self._matched.get(peer) != known:
                    self._matched[peer] = known
                    self._matched_self()
            if gone:
                return  # a removed peer has been told
            if (position, committed) == (store.position, store.is_committed):
                await self._kick.within(kicked, self._beat)

    async def on_append(self, head: dict, payload: bytes) -> bytes:
        store, position = self.store, (head["position"][0], head["position"][1])
        if head["term"] >= store.term:
            if head["term"] > store.term or self.role != FOLLOWER:
                self._step_down(head["term"])
            self._heard = self._now()
            if payload and position > store.position:
                store.accept(*position, orjson.loads(payload))
                self.learn_addresses()
            if head["committed"] and position == store.position and not store.is_committed:
                store.commit()
                self.changed.fire()
            if self.leader != head["leader"]:
                self.leader = head["leader"]
                self.changed.fire()
        return orjson.dumps({"term": store.term, "position": store.position})

    # Elections

    async def run(self) -> None:
        self._heard = self._now()
        if set(self.store.state["peers"]) == {self.store.peer}:
            self._heard = -self._patience  # nobody else to wait for
        wait = self._patience * random.uniform(1, 2)
        while True:
            await asyncio.sleep(self._beat)
            now = self._now()
            if self.role == LEADER:
                alive = {peer for peer, heard in self._heard_from.items() if now - heard < 2 * self._patience}
                if not self._is_quorum(alive | {self.store.peer}):
                    log.warning("stepping down: no majority of the peers answers")
                    self._step_down()
                elif self.store.peer not in self.store.state["peers"]:
                    self._step_down()  # removed, and the others have been told since the last beat
            elif now - self._heard > wait and self.store.peer in self.store.accepted["state"]["peers"]:
                if self.leader is not None:
                    self.leader = None
                    self.changed.fire()
                await self._campaign()
                wait = self._patience * random.uniform(1, 2)

    async def _campaign(self) -> None:
        store, self._heard = self.store, self._now()
        if not await self._is_elected(store.term + 1, trial=True) or self.leader is not None:
            return
        store.enter(store.term + 1, store.peer)
        self.role, term = CANDIDATE, store.term
        elected = await self._is_elected(term, trial=False)
        if self.role == CANDIDATE and store.term == term:
            if elected:
                self._become_leader()
            else:
                self.role = FOLLOWER

    async def _is_elected(self, term: int, trial: bool) -> bool:
        head = {"term": term, "candidate": self.store.peer, "position": self.store.position, "trial": trial}

        async def ask(peer: str) -> str | None:
            try:
                answer = orjson.loads(await self.links.call(peer, "vote", head, timeout=self._patience / 2))
            except (PeerUnreachable, ApiError):
                return None
            if answer["term"] > term:
                self._step_down(answer["term"])
            return peer if answer["granted"] else None

        votes = await asyncio.gather(*(ask(peer) for peer in self._others()))
        return self._is_quorum({peer for peer in votes if peer is not None} | {self.store.peer})

    async def on_vote(self, head: dict, _payload: bytes) -> bytes:
        store, term = self.store, head["term"]
        is_new_enough = tuple(head["position"]) >= store.position
        if head["trial"]:
            has_leader = self.role == LEADER or (
                self.leader is not None and self._now() - self._heard < self._patience
            )
            granted = term > store.term and is_new_enough and not has_leader
            return orjson.dumps({"term": store.term if not granted else term, "granted": granted})
        if term > store.term:
            self._step_down(term)
        granted = term == store.term and store.vote in (None, head["candidate"]) and is_new_enough
        if granted:
            store.enter(term, head["candidate"])
            self._heard = self._now()
        return orjson.dumps({"term": store.term, "granted": granted})
