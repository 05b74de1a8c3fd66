"""What a member of a cluster adds to `/telemetry` and `/metrics`."""

from ..storage import Storage
from ..telemetry import Telemetry, gauge
from .health import describe
from .node import Node
from .replica_set import ReplicaSet


class ClusterTelemetry(Telemetry):
    def __init__(self, storage: Storage, node: Node):
        super().__init__(storage)
        self.node = node

    def _cluster(self) -> dict:
        known = describe(self.node)
        raft = known["raft_info"]
        return {
            "enabled": True,
            "status": {
                "number_of_peers": len(known["peers"]),
                **{key: raft[key] for key in ("term", "commit", "pending_operations", "role", "is_voter")},
                "peer_id": known["peer_id"],
                "consensus_thread_status": known["consensus_thread_status"],
            },
            "peers": known["peers"],
        }

    def _states(self, shard: ReplicaSet) -> dict[str, str]:
        return shard.table

    def _shard(self, collection, shard: ReplicaSet, info: dict) -> dict:
        described = super()._shard(collection, shard, info)
        if shard.local is None:
            described["local"] = None
        others = [peer for peer in shard.table if peer != self.node.peer]
        described["remote"] = [{"shard_id": shard.id, "peer_id": int(peer)} for peer in others]
        return described

    def _cluster_metrics(self) -> list[str]:
        known = describe(self.node)
        raft = known["raft_info"]
        return [
            *gauge("cluster_enabled", "is cluster support enabled", 1),
            *gauge("cluster_peers_total", "total number of cluster peers", len(known["peers"])),
            "# HELP cluster_term current cluster term",
            "# TYPE cluster_term counter",
            f"cluster_term {raft['term']}",
            "# HELP cluster_commit index of last committed (finalized) operation cluster peer is aware of",
            "# TYPE cluster_commit counter",
            f'cluster_commit{{peer_id="{self.node.peer}"}} {raft["commit"]}',
            *gauge(
                "cluster_pending_operations_total",
                "total number of pending operations for cluster peer",
                raft["pending_operations"],
            ),
            *gauge("cluster_voter", "is cluster peer a voter or learner", int(raft["is_voter"])),
        ]
