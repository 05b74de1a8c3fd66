"""What one request asks of the replicas: kept beside the request's task, so that merging need not know of it."""

from contextvars import ContextVar
from dataclasses import dataclass

from ..errors import ApiError
from ..request import Request

_ORDERINGS = ("weak", "medium", "strong")
_CONSISTENCIES = ("all", "majority", "quorum")


@dataclass(frozen=True)
class Options:
    wait: bool = True
    ordering: str = "weak"
    consistency: str | int = 1
    timeout: float = 10.0  # for what the peers have to agree on


_current: ContextVar[Options] = ContextVar("options", default=Options())


def current() -> Options:
    return _current.get()


def adopt(request: Request) -> None:
    """For the rest of the request's task and the tasks that it starts."""
    ordering = request.parameter("ordering") or "weak"
    if ordering not in _ORDERINGS:
        raise _unknown("ordering", ordering)
    consistency = _consistency(request.parameter("consistency"))
    timeout = request.parameter("timeout")
    seconds = float(timeout) if timeout is not None and timeout.isdigit() else Options.timeout
    _current.set(Options(request.flag("wait", False), ordering, consistency, seconds))


def _consistency(text: str | None) -> str | int:
    if text is None:
        return 1
    if text in _CONSISTENCIES:
        return text
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise _unknown("consistency", text)


def _unknown(name: str, value: str) -> ApiError:
    return ApiError(400, f"Deserialize error in query parameters: {name}: unknown value `{value}`")
