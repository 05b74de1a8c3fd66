"""One answer out of several replicas' answers: what all of them, or a majority, have alike."""

from typing import Any

import orjson


def needed(consistency: str | int, replicas: int) -> tuple[int, bool]:
    """How many replicas to ask, and whether a majority of their answers is enough."""
    if consistency == "all":
        return replicas, False
    if consistency == "majority":
        return replicas, True
    if consistency == "quorum":
        return replicas // 2 + 1, False
    return min(max(int(consistency), 1), replicas), False


def resolve(operation: str, answers: list[bytes], majority: bool) -> bytes:
    if len(answers) == 1:
        return answers[0]
    enough = len(answers) // 2 + 1 if majority else len(answers)
    parsed = [orjson.loads(answer) for answer in answers]
    if operation == "count":
        ordered = sorted(parsed)
        return orjson.dumps(ordered[len(ordered) // 2] if majority else ordered[0])
    if operation == "scroll":
        points = _common([answer["points"] for answer in parsed], enough)
        return orjson.dumps({**parsed[0], "points": points})
    if operation in ("search", "query", "retrieve"):
        return orjson.dumps(_common(parsed, enough))
    return answers[0]


def _common(lists: list[list[dict]], enough: int) -> list[dict]:
    """In the order of the first answer that has the point; versions are each replica's own."""
    seen: dict[bytes, tuple[int, dict]] = {}
    for points in lists:
        for point in points:
            key = orjson.dumps(_identity(point), option=orjson.OPT_SORT_KEYS)
            seen[key] = (seen.get(key, (0, point))[0] + 1, point)
    return [point for count, point in seen.values() if count >= enough]


def _identity(point: dict) -> dict[str, Any]:
    return {key: value for key, value in point.items() if key != "version"}
