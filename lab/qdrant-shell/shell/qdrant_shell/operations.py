"""What a shard does for each operation of the API. Runs in the shard's own process."""

from collections.abc import Callable

import orjson
import qdrant_edge as q

from .errors import bad_input
from .filters import point_id, point_ids, to_filter
from .queries import order_by, search_params, to_query_request
from .schema import engine_type_name, to_schema
from .vectors import (
    id_output,
    named_vector,
    record_output,
    scored_output,
    vector_struct,
    with_payload,
    with_vector,
)

_MODES = {
    "upsert": q.UpdateMode.Upsert,
    "insert_only": q.UpdateMode.InsertOnly,
    "update_only": q.UpdateMode.UpdateOnly,
}
Update = q.UpdateOperation


def _points(body: dict) -> list:
    if "points" in body:
        return [
            q.Point(point_id(point["id"]), vector_struct(point["vector"]), point.get("payload"))
            for point in body["points"]
        ]
    batch = body["batch"]
    ids = point_ids(batch["ids"])
    payloads = batch.get("payloads") or [None] * len(ids)
    vectors = batch["vectors"]
    if isinstance(vectors, dict):
        rows = [{name: named_vector(column[i]) for name, column in vectors.items()} for i in range(len(ids))]
    else:
        rows = vectors
    if len(rows) != len(ids) or len(payloads) != len(ids):
        raise bad_input("batch: ids, vectors and payloads must have equal lengths")
    return [q.Point(i, vector, payload) for i, vector, payload in zip(ids, rows, payloads)]


def upsert(shard: q.EdgeShard, body: dict) -> None:
    mode = body.get("update_mode")
    shard.update(
        Update.upsert_points(
            _points(body), to_filter(body.get("update_filter")), None if mode is None else _MODES[mode]
        )
    )


def _selected(body: dict, by_ids: Callable, by_filter: Callable, *rest) -> q.UpdateOperation:
    if body.get("points") is not None:
        return by_ids(point_ids(body["points"]), *rest)
    if body.get("filter") is not None:
        return by_filter(to_filter(body["filter"]), *rest)
    raise bad_input("No filter or points provided")


def delete(shard: q.EdgeShard, body: dict) -> None:
    shard.update(_selected(body, Update.delete_points, Update.delete_points_by_filter))


def set_payload(shard: q.EdgeShard, body: dict) -> None:
    rest = (body["payload"], body.get("key"))
    shard.update(_selected(body, Update.set_payload, Update.set_payload_by_filter, *rest))


def overwrite_payload(shard: q.EdgeShard, body: dict) -> None:
    rest = (body["payload"], body.get("key"))
    shard.update(_selected(body, Update.overwrite_payload, Update.overwrite_payload_by_filter, *rest))


def delete_payload(shard: q.EdgeShard, body: dict) -> None:
    shard.update(_selected(body, Update.delete_payload, Update.delete_payload_by_filter, body["keys"]))


def clear_payload(shard: q.EdgeShard, body: dict) -> None:
    shard.update(_selected(body, Update.clear_payload, Update.clear_payload_by_filter))


def update_vectors(shard: q.EdgeShard, body: dict) -> None:
    points = [q.PointVectors(point_id(p["id"]), vector_struct(p["vector"])) for p in body["points"]]
    shard.update(Update.update_vectors(points, to_filter(body.get("update_filter"))))


def delete_vectors(shard: q.EdgeShard, body: dict) -> None:
    shard.update(_selected(body, Update.delete_vectors, Update.delete_vectors_by_filter, body["vector"]))


UPDATES: dict[str, Callable[[q.EdgeShard, dict], None]] = {
    "upsert": upsert,
    "delete": delete,
    "set_payload": set_payload,
    "overwrite_payload": overwrite_payload,
    "delete_payload": delete_payload,
    "clear_payload": clear_payload,
    "update_vectors": update_vectors,
    "delete_vectors": delete_vectors,
}


def create_index(shard: q.EdgeShard, body: dict) -> None:
    shard.update(Update.create_field_index(body["field_name"], to_schema(body["field_schema"])))


def delete_index(shard: q.EdgeShard, body: dict) -> None:
    shard.update(Update.delete_field_index(body["field_name"]))


def search(shard: q.EdgeShard, body: dict) -> bytes:
    vector, using = body["vector"], None
    if isinstance(vector, dict):
        using = vector["name"]
        vector = vector["vector"]
    found = shard.search(
        q.SearchRequest(
            q.Query.Nearest(named_vector(vector), using),
            body["limit"],
            body.get("offset") or 0,
            to_filter(body.get("filter")),
            search_params(body.get("params")),
            with_vector(body),
            with_payload(body.get("with_payload"), False),
            body.get("score_threshold"),
        )
    )
    return orjson.dumps([scored_output(point) for point in found])


def query(shard: q.EdgeShard, body: dict) -> bytes:
    return orjson.dumps([scored_output(point) for point in shard.query(to_query_request(body))])


def scroll(shard: q.EdgeShard, body: dict) -> bytes:
    offset = body.get("offset")
    order = body.get("order_by")
    limit = body.get("limit")
    records, following = shard.scroll(
        q.ScrollRequest(
            None if offset is None else point_id(offset),
            10 if limit is None else limit,
            to_filter(body.get("filter")),
            with_payload(body.get("with_payload"), True),
            with_vector(body),
            None if order is None else order_by(order),
        )
    )
    return orjson.dumps(
        {
            "points": [record_output(record) for record in records],
            "next_page_offset": None if following is None else id_output(following),
        }
    )


def retrieve(shard: q.EdgeShard, body: dict) -> bytes:
    ids = point_ids(body["ids"])
    records = shard.retrieve(ids, with_payload(body.get("with_payload"), True), with_vector(body))
    found = {record.id: record for record in records}
    return orjson.dumps([record_output(found[i]) for i in ids if i in found])


def count(shard: q.EdgeShard, body: dict) -> bytes:
    exact = body.get("exact")
    total = shard.count(q.CountRequest(True if exact is None else exact, to_filter(body.get("filter"))))
    return b"%d" % total


def facet(shard: q.EdgeShard, body: dict) -> bytes:
    response = shard.facet(
        q.FacetRequest(
            body["key"], body.get("limit") or 10, bool(body.get("exact")), to_filter(body.get("filter"))
        )
    )
    return orjson.dumps([{"value": id_output(hit.value), "count": hit.count} for hit in response.hits])


def info(shard: q.EdgeShard, _body: dict) -> bytes:
    known = shard.info()
    return orjson.dumps(
        {
            "segments_count": known.segments_count,
            "points_count": known.points_count,
            "indexed_vectors_count": known.indexed_vectors_count,
            "payload_schema": {
                str(key): {"data_type": engine_type_name(value.data_type), "points": value.points}
                for key, value in known.payload_schema.items()
            },
        }
    )


READS: dict[str, Callable[[q.EdgeShard, dict], bytes]] = {
    "search": search,
    "query": query,
    "scroll": scroll,
    "retrieve": retrieve,
    "count": count,
    "facet": facet,
    "info": info,
}
