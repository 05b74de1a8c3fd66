"""Grouped search: asks for more points until there are enough groups."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

_ROUNDS = 5


async def search(collection, body: dict) -> dict:
    async def fetch(limit: int) -> list:
        return orjson.loads(
            await collection.search({**_without_groups(body), "limit": limit, "with_payload": True})
        )

    return await _grouped(body, fetch)


async def query(collection, body: dict, find_collection: Callable) -> dict:
    async def fetch(limit: int) -> list:
        request = {**_without_groups(body), "limit": limit, "with_payload": True}
        return orjson.loads(await collection.query(request, find_collection))

    return await _grouped(body, fetch)


def _without_groups(body: dict) -> dict:
    return {key: value for key, value in body.items() if key not in ("group_by", "group_size", "with_lookup")}


async def _grouped(body: dict, fetch: Callable[[int], Awaitable[list]]) -> dict:
    wanted = 10 if body.get("limit") is None else body["limit"]
    size = 3 if body.get("group_size") is None else body["group_size"]
    limit = wanted * size * 2
    groups: dict = {}
    for _ in range(_ROUNDS):
        points = await fetch(limit)
        groups = _collect(points, body["group_by"], size)
        enough = [group for group in groups.values() if len(group) >= size]
        if len(enough) >= wanted or len(points) < limit:
            break
        limit *= 4
    shown = list(groups.items())[:wanted]
    return {"groups": [{"id": key, "hits": [_hit(point, body) for point in hits]} for key, hits in shown]}


def _collect(points: list, path: str, size: int) -> dict[Any, list]:
    groups: dict[Any, list] = {}
    for point in points:
        values: Any = point.get("payload") or {}
        for key in path.split("."):
            values = values.get(key) if isinstance(values, dict) else None
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, (str, int)) and not isinstance(value, bool):
                hits = groups.setdefault(value, [])
                if len(hits) < size:
                    hits.append(point)
    return groups


def _hit(point: dict, body: dict) -> dict:
    return (
        point
        if body.get("with_payload")
        else {key: value for key, value in point.items() if key != "payload"}
    )
