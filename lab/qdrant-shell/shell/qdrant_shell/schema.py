"""Payload index schemas and vector configuration: the API's JSON to the engine's objects."""

from typing import Any

import qdrant_edge as q

from .errors import bad_input

_TYPES = {
    "keyword": (q.PayloadSchemaType.Keyword, q.KeywordIndexParams, ("is_tenant", "on_disk")),
    "integer": (
        q.PayloadSchemaType.Integer,
        q.IntegerIndexParams,
        ("lookup", "range", "is_principal", "on_disk"),
    ),
    "float": (q.PayloadSchemaType.Float, q.FloatIndexParams, ("is_principal", "on_disk")),
    "geo": (q.PayloadSchemaType.Geo, q.GeoIndexParams, ("on_disk",)),
    "text": (
        q.PayloadSchemaType.Text,
        q.TextIndexParams,
        ("min_token_len", "max_token_len", "lowercase", "on_disk", "phrase_matching", "ascii_folding"),
    ),
    "bool": (q.PayloadSchemaType.Bool, q.BoolIndexParams, ("on_disk",)),
    "datetime": (q.PayloadSchemaType.Datetime, q.DatetimeIndexParams, ("is_principal", "on_disk")),
    "uuid": (q.PayloadSchemaType.Uuid, q.UuidIndexParams, ("is_tenant", "on_disk")),
}
_TOKENIZERS = {
    "prefix": q.TokenizerType.Prefix,
    "whitespace": q.TokenizerType.Whitespace,
    "word": q.TokenizerType.Word,
    "multilingual": q.TokenizerType.Multilingual,
}
_DISTANCES = {
    "Cosine": q.Distance.Cosine,
    "Euclid": q.Distance.Euclid,
    "Dot": q.Distance.Dot,
    "Manhattan": q.Distance.Manhattan,
}
_DATATYPES = {
    "float32": q.VectorStorageDatatype.Float32,
    "float16": q.VectorStorageDatatype.Float16,
    "uint8": q.VectorStorageDatatype.Uint8,
}


def schema_type(schema: Any) -> str:
    """`"keyword"` or `{type: "keyword", …}`: the type's name."""
    name = schema.get("type") if isinstance(schema, dict) else schema
    if name not in _TYPES:
        raise bad_input(f"unknown payload schema type {name!r}")
    return name


def to_schema(schema: Any):
    kind, params, fields = _TYPES[schema_type(schema)]
    if not isinstance(schema, dict) or set(schema) == {"type"}:
        return kind
    options = {field: schema[field] for field in fields if schema.get(field) is not None}
    if schema.get("tokenizer") is not None:
        options["tokenizer"] = _TOKENIZERS[schema["tokenizer"]]
    return params(**options)


def engine_type_name(data_type: q.PayloadSchemaType) -> str:
    return str(data_type).rsplit(".", 1)[-1].lower()


def to_edge_config(params: dict) -> q.EdgeConfig:
    """The engine's configuration of one shard from a collection's `params`."""
    vectors = params.get("vectors") or {}
    if "size" in vectors:
        vectors = {"": vectors}
    sparse = params.get("sparse_vectors") or {}
    return q.EdgeConfig(
        vectors={name: _vector(value) for name, value in vectors.items()},
        sparse_vectors={name: _sparse(value) for name, value in sparse.items()},
        on_disk_payload=params.get("on_disk_payload", True),
    )


def _vector(value: dict) -> q.EdgeVectorParams:
    multi = value.get("multivector_config")
    return q.EdgeVectorParams(
        size=value["size"],
        distance=_DISTANCES[value["distance"]],
        on_disk=value.get("on_disk"),
        multivector_config=None if multi is None else q.MultiVectorConfig(q.MultiVectorComparator.MaxSim),
        datatype=_datatype(value.get("datatype")),
    )


def _datatype(value: str | None):
    return None if value is None else _DATATYPES[value]


def _sparse(value: dict | None) -> q.EdgeSparseVectorParams:
    value = value or {}
    index = value.get("index") or {}
    return q.EdgeSparseVectorParams(
        full_scan_threshold=index.get("full_scan_threshold"),
        on_disk=index.get("on_disk"),
        modifier=q.Modifier.Idf if value.get("modifier") == "idf" else None,
    )
