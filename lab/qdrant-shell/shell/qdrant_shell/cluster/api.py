"""The routes that a cluster adds, and those that it answers otherwise."""

from ..api import Api
from ..collection import Collection
from ..errors import bad_request, format_error
from ..request import Request
from . import options
from .health import Health, describe
from .node import Node
from .recovery import ClusterRecovery
from .storage import ClusterStorage
from .telemetry import ClusterTelemetry

READY_PATIENCE_SECONDS = 0.5
_SHARD_OPERATIONS = ("move_shard", "replicate_shard", "abort_transfer", "drop_replica")


class ClusterApi(Api):
    def __init__(self, storage: ClusterStorage, settings: dict, node: Node):
        super().__init__(storage, settings)
        self.node = node
        self.telemetry = ClusterTelemetry(storage, node)
        self.snapshots.recovery = ClusterRecovery(storage, self.snapshots.snapshots, node)
        self._health = Health(node)
        self._reads["POST", "cluster"] = self._change_cluster

    async def _dispatch(self, request: Request) -> None:
        options.adopt(request)
        await super()._dispatch(request)

    async def _ready(self, request: Request) -> None:
        """Latches, too; but not before this node knows what the others agreed on and its replicas are healthy."""
        if await self._health.is_ready(READY_PATIENCE_SECONDS):
            await request.text(200, "all shards are ready")
        else:
            await request.text(503, "some shards are not ready")

    async def _cluster_wide(self, request: Request) -> None:
        rest, method = request.parts[1:], request.method
        if not rest and method == "GET":
            await request.ok(describe(self.node))
        elif rest == ["recover"] and method == "POST":
            await request.ok(True)
        elif len(rest) == 2 and rest[0] == "peer" and method == "DELETE":
            await request.ok(await self._remove_peer(request, rest[1]))
        else:
            await request.text(404, "")

    async def _remove_peer(self, request: Request, text: str) -> bool:
        if not (text.isascii() and text.isdigit()):
            raise format_error(f"can not parse {text!r} to a peer's id")
        operation = {"op": "remove_peer", "peer": text, "force": request.flag("force", False)}
        await self.node.agree(operation, options.current().timeout)
        return True

    async def _change_cluster(self, request: Request, collection: Collection) -> None:
        body = await request.json()
        kind = next((name for name in _SHARD_OPERATIONS if name in body), None)
        if kind is None:
            raise format_error("data did not match any variant of untagged enum ClusterOperations")
        wanted = body[kind]
        operation = {"collection": collection.name, "shard": wanted["shard_id"]}
        if kind == "drop_replica":
            self._check_peer(wanted["peer_id"])
            operation |= {"op": "drop_replica", "peer": str(wanted["peer_id"])}
        else:
            operation |= {"from": str(wanted["from_peer_id"]), "to": str(wanted["to_peer_id"])}
            if kind == "abort_transfer":
                operation["op"] = "abort_transfer"
            else:
                method = wanted.get("method") or "stream_records"
                if method not in ("stream_records", "snapshot", "wal_delta"):
                    raise format_error(f"unknown variant `{method}` of a shard transfer method")
                operation |= {"op": "start_transfer", "sync": kind == "replicate_shard", "method": method}
        await self.node.agree(operation, options.current().timeout)
        await request.ok(True)

    def _check_peer(self, peer: int) -> None:
        if str(peer) not in self.node.state["peers"]:
            raise bad_request(f"Peer {peer} does not exist")
