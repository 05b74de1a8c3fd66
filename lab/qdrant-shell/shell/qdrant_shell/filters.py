"""Filters: the API's JSON to the engine's objects."""

from typing import Any
from uuid import UUID

import qdrant_edge as q

from .errors import bad_input, format_error


def point_id(value: Any):
    if isinstance(value, bool):
        raise format_error("point id must be an unsigned integer or a UUID")
    if isinstance(value, int) and 0 <= value < 2**64:
        return value
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            pass
    raise format_error(
        f"value {value} is not a valid point ID, valid values are either an unsigned integer or a UUID"
    )


def point_ids(values: Any) -> list:
    return [point_id(value) for value in values]


def to_filter(value: dict | None) -> q.Filter | None:
    if value is None:
        return None
    unknown = set(value) - {"must", "should", "must_not", "min_should"}
    if unknown:
        raise format_error(
            f"unknown field `{sorted(unknown)[0]}`, expected one of `should`, `min_should`, `must`, `must_not`"
        )
    minimum = value.get("min_should")
    return q.Filter(
        must=_conditions(value.get("must")),
        should=_conditions(value.get("should")),
        must_not=_conditions(value.get("must_not")),
        min_should=None
        if minimum is None
        else q.MinShould(_conditions(minimum["conditions"]) or [], minimum["min_count"]),
    )


def _conditions(value: Any) -> list | None:
    if value is None:
        return None
    return [condition(item) for item in (value if isinstance(value, list) else [value])]


def condition(value: dict):
    if "key" in value:
        return _field(value)
    if "is_empty" in value:
        return q.IsEmptyCondition(value["is_empty"]["key"])
    if "is_null" in value:
        return q.IsNullCondition(value["is_null"]["key"])
    if "has_id" in value:
        return q.HasIdCondition(set(point_ids(value["has_id"])))
    if "has_vector" in value:
        return q.HasVectorCondition(value["has_vector"])
    if "nested" in value:
        return q.NestedCondition(value["nested"]["key"], to_filter(value["nested"]["filter"]) or q.Filter())
    return to_filter(value)


def _field(value: dict):
    match = value.get("match")
    span = value.get("range")
    return q.FieldCondition(
        key=value["key"],
        match=None if match is None else _match(match),
        range=None if span is None else _range(span),
        geo_bounding_box=_box(value.get("geo_bounding_box")),
        geo_radius=_radius(value.get("geo_radius")),
        geo_polygon=_polygon(value.get("geo_polygon")),
        values_count=None if value.get("values_count") is None else q.ValuesCount(**value["values_count"]),
        is_empty=value.get("is_empty"),
        is_null=value.get("is_null"),
    )


def _match(match: dict):
    if "value" in match:
        return q.MatchValue(match["value"])
    if "text" in match:
        return q.MatchText(match["text"])
    if "text_any" in match:
        return q.MatchTextAny(match["text_any"])
    if "phrase" in match:
        return q.MatchPhrase(match["phrase"])
    if "any" in match:
        return q.MatchAny(match["any"])
    if "except" in match:
        return q.MatchExcept(match["except"])
    raise bad_input(f"unknown match condition {sorted(match)}")


def _range(span: dict):
    limits = {key: span.get(key) for key in ("gte", "gt", "lte", "lt")}
    if any(isinstance(limit, str) for limit in limits.values()):
        return q.RangeDateTime(**limits)
    return q.RangeFloat(**limits)


def geo_point(value: dict) -> q.GeoPoint:
    return q.GeoPoint(lon=value["lon"], lat=value["lat"])


def _box(value: dict | None):
    if value is None:
        return None
    return q.GeoBoundingBox(geo_point(value["top_left"]), geo_point(value["bottom_right"]))


def _radius(value: dict | None):
    return None if value is None else q.GeoRadius(geo_point(value["center"]), value["radius"])


def _polygon(value: dict | None):
    if value is None:
        return None
    interiors = value.get("interiors")
    return q.GeoPolygon(
        [geo_point(point) for point in value["exterior"]["points"]],
        None if interiors is None else [[geo_point(p) for p in ring["points"]] for ring in interiors],
    )
