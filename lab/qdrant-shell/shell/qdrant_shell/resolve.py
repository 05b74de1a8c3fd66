"""Replaces point ids in queries by those points' vectors, and keeps these points out of the answer."""

from collections.abc import Callable
from typing import Any

from .errors import bad_input, not_found


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


async def resolve_ids(collection, body: dict, find_collection: Callable) -> dict:
    query, prefetch = body.get("query"), body.get("prefetch")
    if not (_is_id(query) or isinstance(query, dict)) and not prefetch:
        return body
    resolved = dict(body)
    lookup = body.get("lookup_from")
    source = find_collection(lookup["collection"]) if lookup else collection
    name = (lookup or {}).get("vector") or body.get("using")
    used: list = []

    async def vector(value: Any) -> Any:
        if not _is_id(value):
            return value
        if source is collection:
            used.append(value)
        return _pick(await source.point(value), name)

    if _is_id(query):
        resolved["query"] = await vector(query)
    elif isinstance(query, dict):
        resolved["query"] = await _inside(query, vector)
    if prefetch:
        items = prefetch if isinstance(prefetch, list) else [prefetch]
        resolved["prefetch"] = [await resolve_ids(collection, item, find_collection) for item in items]
    if used:
        without = {"has_id": used}
        resolved["filter"] = (
            {"must": [body["filter"]], "must_not": [without]}
            if body.get("filter")
            else {"must_not": [without]}
        )
    return resolved


async def _inside(query: dict, vector: Callable) -> dict:
    if "nearest" in query:
        return {**query, "nearest": await vector(query["nearest"])}
    if "recommend" in query:
        recommend = query["recommend"]
        return {
            "recommend": {
                **recommend,
                "positive": [await vector(item) for item in recommend.get("positive") or []],
                "negative": [await vector(item) for item in recommend.get("negative") or []],
            }
        }
    if "discover" in query:
        discover = query["discover"]
        return {
            "discover": {
                "target": await vector(discover["target"]),
                "context": await _pairs(discover["context"], vector),
            }
        }
    if "context" in query:
        return {"context": await _pairs(query["context"], vector)}
    return query


async def _pairs(value: Any, vector: Callable) -> list:
    pairs = value if isinstance(value, list) else [value]
    return [
        {"positive": await vector(pair["positive"]), "negative": await vector(pair["negative"])}
        for pair in pairs
    ]


def _pick(point: dict, name: str | None) -> Any:
    vectors = point.get("vector")
    if isinstance(vectors, dict) and "indices" not in vectors:
        if name not in vectors:
            raise not_found(f"vector {name!r} of point {point['id']}")
        return vectors[name]
    if vectors is None:
        raise bad_input(f"point {point['id']} has no vector")
    return vectors
