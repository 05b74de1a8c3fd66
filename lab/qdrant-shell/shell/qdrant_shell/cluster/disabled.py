"""Replicas that failed a write: passed by at once on this node, and proposed as dead until everybody agrees.

Kept in memory only, as in the original: a node that restarts before it could tell forgets them.
"""

from . import state

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 10.0


class Disabled:
    def __init__(self, replica_set):
        self._set = replica_set
        # peer → when to propose it again, and the delay after that
        self._retry: dict[str, tuple[float, float]] = {}

    def __contains__(self, peer: str) -> bool:
        return peer in self._retry

    def add(self, peer: str) -> None:
        """Never the last one that the others agree is active."""
        others = [other for other in state.active(self._set.table) if other != peer]
        if peer not in self._retry and all(other in self._retry for other in others):
            return
        self._retry.setdefault(peer, (0.0, FIRST_RETRY_SECONDS))
        self._set.node.failures_changed.fire()

    def due(self, now: float) -> list[str]:
        """Whom to propose as dead now; the delay doubles each time."""
        due = [peer for peer, (when, _) in self._retry.items() if when <= now]
        for peer in due:
            delay = self._retry[peer][1]
            self._retry[peer] = (now + delay, min(delay * 2, LONGEST_RETRY_SECONDS))
        return due

    def on_change(self, before: dict[str, str], after: dict[str, str]) -> None:
        """What was agreed counts; where it contradicts this node's view of everybody, the view was wrong."""
        changed = [peer for peer in self._retry if before.get(peer) != after.get(peer)]
        if changed and all(peer in self._retry for peer in state.active(after)):
            self._retry.clear()
        for peer in changed:
            self._retry.pop(peer, None)
