"""The routes of the API and what each does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from . import groups, telemetry
from .access import Access
from .collection import VERSION, Collection
from .errors import ApiError, bad_input, bad_request, format_error
from .request import Request
from .snapshot_api import SnapshotApi
from .snapshots import Snapshots
from .storage import Storage

log = logging.getLogger("qdrant")

_BATCH = (
    "upsert",
    "delete",
    "set_payload",
    "overwrite_payload",
    "delete_payload",
    "clear_payload",
    "update_vectors",
    "delete_vectors",
)
# what follows /collections/{name}/ , by method
_UPDATES = {
    ("PUT", "points"): "upsert",
    ("POST", "points/delete"): "delete",
    ("POST", "points/payload"): "set_payload",
    ("PUT", "points/payload"): "overwrite_payload",
    ("POST", "points/payload/delete"): "delete_payload",
    ("POST", "points/payload/clear"): "clear_payload",
    ("PUT", "points/vectors"): "update_vectors",
    ("POST", "points/vectors/delete"): "delete_vectors",
}


class Api:
    def __init__(self, storage: Storage, settings: dict):
        self.storage = storage
        self.access = Access(settings["service"])
        self.telemetry = telemetry.Telemetry(storage)
        self.snapshots = SnapshotApi(storage, Snapshots(storage))
        self._body_limit = settings["service"]["max_request_size_mb"] * 1024 * 1024
        self._reads: dict[tuple[str, str], Callable[[Request, Collection], Awaitable[None]]] = {
            ("POST", "points"): self._retrieve,
            ("POST", "points/scroll"): self._scroll,
            ("POST", "points/count"): self._count,
            ("POST", "points/search"): self._search,
            ("POST", "points/search/batch"): self._search_batch,
            ("POST", "points/search/groups"): self._search_groups,
            ("POST", "points/query"): self._query,
            ("POST", "points/query/batch"): self._query_batch,
            ("POST", "points/query/groups"): self._query_groups,
            ("POST", "points/recommend"): self._recommend,
            ("POST", "points/recommend/batch"): self._recommend_batch,
            ("POST", "points/discover"): self._discover,
            ("POST", "facet"): self._facet,
            ("POST", "points/batch"): self._batch,
            ("PUT", "index"): self._create_index,
            ("GET", "cluster"): self._cluster,
            ("GET", "aliases"): self._collection_aliases,
            ("GET", "optimizations"): self._optimizations,
        }

    async def __call__(self, scope: dict, receive, send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive, send, self._body_limit)
        try:
            refused = self.access.refusal(request)
            if refused is not None:
                await request.text(401, refused)
                return
            await self._dispatch(request)
        except ApiError as error:
            if error.status >= 500:
                log.error("Error processing request: %s", error.message)
            await request.failed(error.status, error.message)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            # a body that lacks a field or has another type; the shards check theirs alike
            log.debug("refused", exc_info=True)
            await request.failed(400, f"Format error in JSON body: {type(error).__name__} {error}")
        except Exception as error:  # noqa: BLE001 - the last resort, as a 500
            log.exception("Error processing request")
            if request.answering:
                raise  # too late for an answer: the server closes the connection
            await request.failed(500, f"Service internal error: {error}")

    async def _dispatch(self, request: Request) -> None:
        parts, method = request.parts, request.method
        if len(parts) >= 3 and parts[0] == "collections":
            await self._in_collection(request, parts[1], "/".join(parts[2:]))
        elif parts == []:
            await self._root(request)
        elif len(parts) == 1 and parts[0] in ("healthz", "livez"):
            await request.text(200, "healthz check passed")
        elif parts == ["readyz"]:
            await self._ready(request)
        elif parts == ["collections"] and method == "GET":
            await request.ok({"collections": [{"name": name} for name in sorted(self.storage.collections)]})
        elif parts == ["collections", "aliases"] and method == "POST":
            await self.storage.change_aliases((await request.json())["actions"])
            await request.ok(True)
        elif len(parts) == 2 and parts[0] == "collections":
            await self._collection(request, parts[1])
        elif parts == ["aliases"] and method == "GET":
            await request.ok({"aliases": self.storage.alias_list()})
        elif parts[:1] == ["cluster"]:
            await self._cluster_wide(request)
        elif parts == ["telemetry"] and method == "GET":
            await request.ok(await self.telemetry.report(int(request.parameter("details_level") or 0)))
        elif parts == ["metrics"] and method == "GET":
            await request.text(200, await self.telemetry.metrics(), "text/plain; charset=utf-8")
        elif parts == ["issues"] and method == "GET":
            await request.ok({"issues": []})
        else:
            await request.text(404, "")

    async def _ready(self, request: Request) -> None:
        await request.text(200, "all shards are ready")  # latches: true from the first answer on

    async def _cluster_wide(self, request: Request) -> None:
        if request.parts == ["cluster"] and request.method == "GET":
            await request.ok({"status": "disabled"})
        elif request.parts[1:2] == ["peer"] and request.method == "DELETE":
            raise bad_request("Distributed mode disabled.")
        else:
            await request.text(404, "")

    async def _root(self, request: Request) -> None:
        body = orjson.dumps(
            {"title": "qdrant - vector search engine", "version": VERSION, "commit": telemetry.COMMIT}
        )
        await request.text(200, body.decode(), "application/json")

    async def _collection(self, request: Request, name: str) -> None:
        if request.method == "GET":
            await request.ok(await self.storage.find(name).info())
        elif request.method == "PUT":
            await self.storage.create(name, await request.json())
            await request.ok(True)
        elif request.method == "PATCH":
            await self.storage.find(name).change(await request.json())
            await request.ok(True)
        elif request.method == "DELETE":
            await request.ok(await self.storage.delete(name))
        else:
            await request.text(405, "")

    async def _in_collection(self, request: Request, name: str, rest: str) -> None:
        key = (request.method, rest)
        update = _UPDATES.get(key)
        if update is not None:
            await self._update(request, self.storage.find(name), update)
            return
        handler = self._reads.get(key)
        if handler is not None:
            await handler(request, self.storage.find(name))
            return
        tail = rest.split("/")
        if key == ("GET", "exists"):
            await request.ok({"exists": self.storage.exists(name)})
        elif len(tail) == 2 and tail[0] == "points" and request.method == "GET":
            await self._point(request, self.storage.find(name), tail[1])
        elif len(tail) == 2 and tail[0] == "index" and request.method == "DELETE":
            await request.ok(await self.storage.find(name).delete_index(tail[1], request.flag("wait", False)))
        elif tail[0] in ("snapshots", "shards") and await self.snapshots.handle(request, name, tail):
            return
        else:
            await request.text(404, "")

    # Writes

    async def _update(self, request: Request, collection: Collection, kind: str) -> None:
        raw = await request.body()
        await request.ok(await collection.update(kind, raw, request.flag("wait", False)))

    async def _batch(self, request: Request, collection: Collection) -> None:
        operations = []
        for operation in (await request.json())["operations"]:
            kind = next(iter(operation), None)
            if kind not in _BATCH:
                raise format_error(f"data did not match any variant of untagged enum UpdateOperation: {kind}")
            operations.append((kind, operation[kind]))
        await request.ok(await collection.batch(operations, request.flag("wait", False)))

    async def _create_index(self, request: Request, collection: Collection) -> None:
        body = await request.json()
        schema = body.get("field_schema")
        if schema is None:
            raise bad_input("field_schema is required: automatic detection is not available")
        await request.ok(
            await collection.create_index(body["field_name"], schema, request.flag("wait", False))
        )

    # Reads

    async def _retrieve(self, request: Request, collection: Collection) -> None:
        await request.ok_raw(await collection.retrieve(await request.json()))

    async def _point(self, request: Request, collection: Collection, text: str) -> None:
        wanted: Any = int(text) if text.isascii() and text.isdigit() else text
        await request.ok(await collection.point(wanted, {"with_payload": True, "with_vector": True}))

    async def _scroll(self, request: Request, collection: Collection) -> None:
        await request.ok_raw(await collection.scroll(await _limited(request)))

    async def _count(self, request: Request, collection: Collection) -> None:
        await request.ok({"count": await collection.count(await request.body())})

    async def _search(self, request: Request, collection: Collection) -> None:
        await request.ok_raw(await collection.search(await _limited(request)))

    async def _search_batch(self, request: Request, collection: Collection) -> None:
        searches = (await request.json())["searches"]
        answers = await asyncio.gather(*(collection.search(search) for search in searches))
        await request.ok_raw(b"[" + b",".join(answers) + b"]")

    async def _search_groups(self, request: Request, collection: Collection) -> None:
        body = await request.json()
        await request.ok(await groups.search(collection, body))

    async def _query(self, request: Request, collection: Collection) -> None:
        answer = await collection.query(await _limited(request), self.storage.find)
        await request.ok_raw(b'{"points":' + answer + b"}")

    async def _query_batch(self, request: Request, collection: Collection) -> None:
        searches = (await request.json())["searches"]
        answers = await asyncio.gather(*(collection.query(search, self.storage.find) for search in searches))
        await request.ok_raw(b"[" + b",".join(b'{"points":' + answer + b"}" for answer in answers) + b"]")

    async def _query_groups(self, request: Request, collection: Collection) -> None:
        await request.ok(await groups.query(collection, await request.json(), self.storage.find))

    async def _recommend(self, request: Request, collection: Collection) -> None:
        await request.ok_raw(await collection.query(_as_recommend(await request.json()), self.storage.find))

    async def _recommend_batch(self, request: Request, collection: Collection) -> None:
        bodies = [_as_recommend(search) for search in (await request.json())["searches"]]
        answers = await asyncio.gather(*(collection.query(body, self.storage.find) for body in bodies))
        await request.ok_raw(b"[" + b",".join(answers) + b"]")

    async def _discover(self, request: Request, collection: Collection) -> None:
        body = await request.json()
        context = body.get("context") or []
        target = body.get("target")
        query = (
            {"context": context} if target is None else {"discover": {"target": target, "context": context}}
        )
        await request.ok_raw(await collection.query({**body, "query": query}, self.storage.find))

    async def _facet(self, request: Request, collection: Collection) -> None:
        await request.ok({"hits": await collection.facet(await request.json())})

    # Descriptions

    async def _cluster(self, request: Request, collection: Collection) -> None:
        await request.ok(await collection.cluster_info())

    async def _collection_aliases(self, request: Request, collection: Collection) -> None:
        await request.ok({"aliases": self.storage.alias_list(collection.name)})

    async def _optimizations(self, request: Request, _collection: Collection) -> None:
        await request.ok(
            {
                "summary": {
                    "queued_optimizations": 0,
                    "queued_segments": 0,
                    "queued_points": 0,
                    "idle_segments": 0,
                },
                "running": [],
            }
        )


async def _limited(request: Request) -> dict:
    body = await request.json()
    if body.get("limit") == 0:
        raise ApiError(422, "Validation error in JSON body: [limit: value 0 invalid, must be 1 or larger]")
    return body


def _as_recommend(body: dict) -> dict:
    recommend = {key: body[key] for key in ("positive", "negative", "strategy") if body.get(key) is not None}
    return {**body, "query": {"recommend": recommend}}
