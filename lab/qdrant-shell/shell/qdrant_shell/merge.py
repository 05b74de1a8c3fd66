"""Splitting updates between shards and merging what several shards answer."""

from collections.abc import Callable
from typing import Any

import orjson

from .errors import format_error
from .filters import point_id
from .routing import id_order


def split(kind: str, body: dict, shard_of: Callable[[Any], int], shards: int) -> dict[int, dict]:
    """The parts of one update by shard; filters go to every shard."""
    parts: dict[int, dict] = {}
    if kind == "upsert" and "batch" in body:
        body = {
            **{key: value for key, value in body.items() if key != "batch"},
            "points": _rows(body["batch"]),
        }
    points = body.get("points")
    if points is None:
        return {shard: body for shard in range(shards)}
    rest = {key: value for key, value in body.items() if key not in ("points", "filter")}
    for point in points:
        wanted = point["id"] if isinstance(point, dict) else point
        point_id(wanted)
        parts.setdefault(shard_of(wanted), {**rest, "points": []})["points"].append(point)
    return parts


def _rows(batch: dict) -> list:
    ids, vectors = batch["ids"], batch["vectors"]
    payloads = batch.get("payloads") or [None] * len(ids)
    if isinstance(vectors, dict):
        vectors = [{name: column[i] for name, column in vectors.items()} for i in range(len(ids))]
    if not len(ids) == len(vectors) == len(payloads):
        raise format_error("batch: ids, vectors and payloads must have equal lengths")
    return [
        {"id": i, "vector": vector, "payload": payload} for i, vector, payload in zip(ids, vectors, payloads)
    ]


def scored(parts: list[bytes], limit: int, offset: int, ascending: bool) -> list:
    points = [point for part in parts for point in orjson.loads(part)]
    points.sort(key=lambda point: point["score"], reverse=not ascending)
    return points[offset : offset + limit]


def queried(parts: list[bytes], limit: int, offset: int, body: dict, ascending: bool) -> list:
    query = body.get("query")
    points = [point for part in parts for point in orjson.loads(part)]
    if query is None and not body.get("prefetch"):
        points.sort(key=lambda point: id_order(point["id"]))
    elif isinstance(query, dict) and "order_by" in query:
        points.sort(key=lambda point: point["order_value"], reverse=_descending(query["order_by"]))
    elif isinstance(query, dict) and "nearest" not in query and "recommend" not in query:
        points.sort(key=lambda point: point["score"], reverse=True)
    else:
        points.sort(key=lambda point: point["score"], reverse=not ascending)
    return points[offset : offset + limit]


def scrolled(parts: list[bytes], limit: int, order: Any) -> dict:
    points = [point for part in parts for point in orjson.loads(part)["points"]]
    if order is not None:
        points.sort(key=lambda point: point["order_value"], reverse=_descending(order))
        return {"points": points[:limit], "next_page_offset": None}
    points.sort(key=lambda point: id_order(point["id"]))
    following = points[limit]["id"] if len(points) > limit else None
    return {"points": points[:limit], "next_page_offset": following}


def _descending(order: Any) -> bool:
    return isinstance(order, dict) and order.get("direction") == "desc"


def faceted(parts: list[bytes], limit: int) -> list:
    counts: dict = {}
    for part in parts:
        for hit in orjson.loads(part):
            key = (type(hit["value"]).__name__, hit["value"])
            counts[key] = counts.get(key, 0) + hit["count"]
    hits = sorted(counts.items(), key=lambda item: (-item[1], str(item[0][1])))
    return [{"value": value, "count": count} for (_, value), count in hits[:limit]]
