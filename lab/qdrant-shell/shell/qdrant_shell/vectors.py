"""Vectors, payload selectors and records between the API's JSON and the engine's objects."""

from typing import Any
from uuid import UUID

import qdrant_edge as q

from .errors import bad_input


def named_vector(value: Any):
    """One vector: dense, multi or sparse."""
    if isinstance(value, dict):
        if "indices" in value and "values" in value:
            return q.SparseVector(value["indices"], value["values"])
        raise bad_input("inference is not available: send vectors, not documents or images")
    return value


def vector_struct(value: Any):
    """A point's vectors: one unnamed vector, or a map of named ones."""
    if isinstance(value, dict):
        return {name: named_vector(vector) for name, vector in value.items()}
    return value


def vector_output(value: Any):
    if isinstance(value, q.SparseVector):
        return {"indices": value.indices, "values": value.values}
    if isinstance(value, dict):
        return {name: vector_output(vector) for name, vector in value.items()}
    return value


def with_vector(body: dict):
    value = body.get("with_vector", body.get("with_vectors"))
    return False if value is None else value


def with_payload(value: Any, default: bool):
    if value is None:
        return default
    if isinstance(value, dict):
        if "include" in value:
            return q.PayloadSelector.Include(value["include"])
        return q.PayloadSelector.Exclude(value["exclude"])
    return value


def id_output(value: Any):
    return str(value) if isinstance(value, UUID) else value


def record_output(record: q.Record) -> dict:
    out: dict = {"id": id_output(record.id)}
    if record.payload is not None:
        out["payload"] = record.payload
    if record.vector is not None:
        out["vector"] = vector_output(record.vector)
    if record.order_value is not None:
        out["order_value"] = record.order_value
    return out


def scored_output(point: q.ScoredPoint) -> dict:
    out: dict = {"id": id_output(point.id), "version": point.version, "score": point.score}
    if point.payload is not None:
        out["payload"] = point.payload
    if point.vector is not None:
        out["vector"] = vector_output(point.vector)
    if point.order_value is not None:
        out["order_value"] = point.order_value
    return out
