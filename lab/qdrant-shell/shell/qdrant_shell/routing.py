"""Which shard a point belongs to: a stable hash of its id. (Not the server's hash ring; see the README.)"""

from typing import Any
from uuid import UUID

_MASK = (1 << 64) - 1


def shard_of(point_id: Any, shards: int) -> int:
    if shards == 1:
        return 0
    if isinstance(point_id, str):
        number = UUID(point_id).int
        number = (number >> 64) ^ (number & _MASK)
    else:
        number = point_id
    number = (number + 0x9E3779B97F4A7C15) & _MASK  # splitmix64
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return (number ^ (number >> 31)) % shards


def id_order(point_id: Any) -> tuple:
    """Numbers before UUIDs, each in its own order: the order of a scroll."""
    return (1, point_id) if isinstance(point_id, str) else (0, point_id)
