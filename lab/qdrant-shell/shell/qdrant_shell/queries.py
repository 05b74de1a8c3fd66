"""Queries: the API's JSON (with point ids already replaced by vectors) to the engine's objects."""

from typing import Any

import qdrant_edge as q

from .errors import bad_input
from .filters import condition, geo_point, to_filter
from .vectors import named_vector, with_payload, with_vector

_DECAYS = {"lin_decay": "Lin", "gauss_decay": "Gauss", "exp_decay": "Exp"}
_LISTS = {"mult": "Mult", "sum": "Sum", "max": "Max", "min": "Min"}
_UNARY = {
    "neg": "Neg",
    "sqrt": "Sqrt",
    "exp": "Exp",
    "log10": "Log10",
    "ln": "Ln",
    "abs": "Abs",
    "acosh": "Acosh",
}


def to_query_request(body: dict) -> q.QueryRequest:
    return q.QueryRequest(
        limit=_default(body.get("limit"), 10),
        offset=_default(body.get("offset"), 0),
        query=to_query(body.get("query"), body.get("using")),
        prefetches=_prefetches(body.get("prefetch")),
        with_vector=with_vector(body),
        with_payload=with_payload(body.get("with_payload"), False),
        filter=to_filter(body.get("filter")),
        score_threshold=body.get("score_threshold"),
        params=search_params(body.get("params")),
    )


def _default(value: Any, fallback: int) -> int:
    return fallback if value is None else value


def _prefetches(value: Any) -> list:
    if value is None:
        return []
    return [
        q.Prefetch(
            limit=_default(item.get("limit"), 10),
            query=to_query(item.get("query"), item.get("using")),
            prefetches=_prefetches(item.get("prefetch")),
            params=search_params(item.get("params")),
            filter=to_filter(item.get("filter")),
            score_threshold=item.get("score_threshold"),
        )
        for item in (value if isinstance(value, list) else [value])
    ]


def search_params(value: dict | None) -> q.SearchParams | None:
    if value is None:
        return None
    quantization = value.get("quantization")
    return q.SearchParams(
        hnsw_ef=value.get("hnsw_ef"),
        exact=bool(value.get("exact")),
        quantization=None
        if quantization is None
        else q.QuantizationSearchParams(
            ignore=bool(quantization.get("ignore")),
            rescore=quantization.get("rescore"),
            oversampling=quantization.get("oversampling"),
        ),
        indexed_only=bool(value.get("indexed_only")),
    )


def to_query(value: Any, using: str | None):
    if value is None:
        return None
    if isinstance(value, list) or (isinstance(value, dict) and "indices" in value):
        return q.Query.Nearest(named_vector(value), using)
    if not isinstance(value, dict) or not value:
        raise bad_input("unknown query")
    kind = next(iter(value))
    body = value[kind]
    if kind == "nearest":
        mmr = value.get("mmr")
        if mmr is not None:
            return q.Mmr(
                named_vector(body), 1.0 - _mmr_diversity(mmr), mmr.get("candidates_limit") or 10, using
            )
        return q.Query.Nearest(named_vector(body), using)
    if kind == "recommend":
        return _recommend(body, using)
    if kind == "discover":
        return q.Query.Discover(q.DiscoverQuery(named_vector(body["target"]), _pairs(body["context"])), using)
    if kind == "context":
        return q.Query.Context(q.ContextQuery(_pairs(body)), using)
    if kind == "order_by":
        return order_by(body)
    if kind == "fusion":
        return q.Fusion.Dbsf() if body == "dbsf" else q.Fusion.Rrf(k=2)
    if kind == "rrf":
        return q.Fusion.Rrf(k=body.get("k") or 2, weights=body.get("weights"))
    if kind == "sample":
        return q.Sample.Random
    if kind == "formula":
        return q.Formula(expression(body), value.get("defaults") or {})
    raise bad_input(f"query `{kind}` is not supported")


def _mmr_diversity(mmr: dict) -> float:
    diversity = mmr.get("diversity")
    return 0.5 if diversity is None else diversity


def _recommend(body: dict, using: str | None):
    positives = [named_vector(item) for item in body.get("positive") or []]
    negatives = [named_vector(item) for item in body.get("negative") or []]
    strategy = body.get("strategy") or "average_vector"
    if strategy == "average_vector":
        if not positives:
            raise bad_input("At least one positive vector ID required with this strategy")
        target = _average(positives)
        if negatives:
            away = _average(negatives)
            target = [p + p - n for p, n in zip(target, away)]
        return q.Query.Nearest(target, using)
    request = q.RecommendQuery(positives, negatives)
    if strategy == "best_score":
        return q.Query.RecommendBestScore(request, using)
    return q.Query.RecommendSumScores(request, using)


def _average(vectors: list) -> list:
    if any(not isinstance(vector, list) for vector in vectors):
        raise bad_input("averages of sparse vectors are not supported")
    return [sum(column) / len(vectors) for column in zip(*vectors)]


def _pairs(value: Any) -> list:
    pairs = value if isinstance(value, list) else [value]
    return [q.ContextPair(named_vector(pair["positive"]), named_vector(pair["negative"])) for pair in pairs]


def order_by(value: Any) -> q.OrderBy:
    if isinstance(value, str):
        return q.OrderBy(value)
    direction = value.get("direction")
    return q.OrderBy(
        value["key"],
        None if direction is None else (q.Direction.Desc if direction == "desc" else q.Direction.Asc),
        value.get("start_from"),
    )


def expression(value: Any):
    if isinstance(value, bool):
        raise bad_input("unknown formula expression")
    if isinstance(value, (int, float)):
        return q.Expression.Constant(float(value))
    if isinstance(value, str):
        return q.Expression.Variable(value)
    kind = next(iter(value))
    body = value[kind]
    if kind in _LISTS:
        return getattr(q.Expression, _LISTS[kind])([expression(item) for item in body])
    if kind in _UNARY:
        return getattr(q.Expression, _UNARY[kind])(expression(body))
    if kind in _DECAYS:
        target = body.get("target")
        return q.Expression.Decay(
            getattr(q.DecayKind, _DECAYS[kind]),
            expression(body["x"]),
            None if target is None else expression(target),
            body.get("midpoint"),
            body.get("scale"),
        )
    if kind == "div":
        return q.Expression.Div(
            expression(body["left"]), expression(body["right"]), body.get("by_zero_default")
        )
    if kind == "pow":
        return q.Expression.Pow(expression(body["base"]), expression(body["exponent"]))
    if kind == "geo_distance":
        return q.Expression.GeoDistance(geo_point(body["origin"]), body["to"])
    if kind == "datetime":
        return q.Expression.Datetime(body)
    if kind == "datetime_key":
        return q.Expression.DatetimeKey(body)
    return q.Expression.Condition(condition(value))
