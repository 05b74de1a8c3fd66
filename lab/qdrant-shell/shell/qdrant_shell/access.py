"""Keys: who may call what. Refusals are plain text, as from the original."""

import hmac

from .errors import forbidden
from .request import Request

_OPEN = {(), ("healthz",), ("livez",), ("readyz",)}
_READ_POSTS = {
    "search",
    "query",
    "scroll",
    "count",
    "recommend",
    "discover",
    "facet",
    "groups",
    "batch",
    "pairs",
    "offsets",
}


class Access:
    def __init__(self, service: dict):
        self._key: str | None = service.get("api_key") or None
        self._read_only: str | None = service.get("read_only_api_key") or None

    def refusal(self, request: Request) -> str | None:
        """None when allowed, else what the 401 says. A read-only key on a write raises a 403."""
        if (self._key is None and self._read_only is None) or tuple(request.parts) in _OPEN:
            return None
        given = request.headers.get(b"api-key")
        if given is None:
            scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
            given = token if scheme.lower() == b"bearer" else None
        if given is None:
            return "Must provide an API key or an Authorization bearer token"
        if self._key is not None and hmac.compare_digest(given, self._key.encode()):
            return None
        if self._read_only is not None and hmac.compare_digest(given, self._read_only.encode()):
            if not _is_read(request):
                raise forbidden("Write access is required")
            return None
        return "Invalid API key or JWT"


def _is_read(request: Request) -> bool:
    if request.method == "GET":
        return True
    if request.method != "POST" or len(request.parts) < 3:
        return False
    rest = request.parts[2:]
    if rest == ["points"] or rest == ["facet"]:
        return True
    return len(rest) > 1 and rest[0] == "points" and rest[1] in _READ_POSTS and rest != ["points", "batch"]
