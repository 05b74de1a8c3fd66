"""What a node must never forget: its id, term and vote, and the state that it accepted and saw committed."""

import secrets
from pathlib import Path

import orjson

from ..files import write_durably
from . import state

Position = tuple[int, int]


class Store:
    """Every change is on disk before it is answered or acted upon."""

    def __init__(self, root: Path):
        self._path = root / "raft_state.json"
        is_first_start = not self._path.exists()
        if is_first_start:
            nothing = {"term": 0, "index": 0, "state": state.empty()}
            known: dict = {
                "peer": str(secrets.randbits(52) + 1),  # JSON's integers are exact below 2^53
                "term": 0,
                "vote": None,
                "accepted": nothing,
                "committed": nothing,
            }
        else:
            known = orjson.loads(self._path.read_bytes())
        self.peer: str = known["peer"]
        self.term: int = known["term"]
        self.vote: str | None = known["vote"]
        self.accepted: dict = known["accepted"]
        self.committed: dict = known["committed"]
        if is_first_start:
            self._save()

    @property
    def is_new(self) -> bool:
        """Belongs to no cluster yet."""
        return not self.accepted["state"]["peers"]

    @property
    def position(self) -> Position:
        return (self.accepted["term"], self.accepted["index"])

    @property
    def state(self) -> dict:
        return self.committed["state"]

    @property
    def is_committed(self) -> bool:
        return (self.committed["term"], self.committed["index"]) == self.position

    def found(self, uri: str) -> None:
        """The first node of a cluster agrees with itself."""
        first = {"term": 0, "index": 1, "state": {**state.empty(), "peers": {self.peer: {"uri": uri}}}}
        self.accepted = self.committed = first
        self._save()

    def enter(self, term: int, vote: str | None) -> None:
        self.term, self.vote = term, vote
        self._save()

    def accept(self, term: int, index: int, content: dict) -> None:
        self.accepted = {"term": term, "index": index, "state": content}
        self._save()

    def commit(self) -> None:
        self.committed = self.accepted
        self._save()

    def _save(self) -> None:
        content = {
            "peer": self.peer,
            "term": self.term,
            "vote": self.vote,
            "accepted": self.accepted,
            "committed": self.committed,
        }
        write_durably(self._path, orjson.dumps(content))
