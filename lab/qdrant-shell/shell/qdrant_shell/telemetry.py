"""`/telemetry` and `/metrics`: the parts that operators and dashboards read."""

import asyncio
from datetime import UTC, datetime

from .storage import Storage

COMMIT = "e66f2ad9eda8a7d6dab06dffa25ff0bd57fd8b87"
VERSION = "1.18.3"


class Telemetry:
    def __init__(self, storage: Storage):
        self.storage = storage
        self.started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def report(self, level: int) -> dict:
        collections: dict = {"number_of_collections": len(self.storage.collections)}
        if level >= 1:
            collections["collections"] = [
                await self._collection(collection, level)
                for collection in list(self.storage.collections.values())
            ]
            collections["snapshots"] = [
                {
                    "id": collection.name,
                    "running_snapshots": collection.snapshots_running,
                    "running_snapshot_recovery": collection.recoveries_running,
                    "total_snapshot_creations": collection.snapshots_created,
                }
                for collection in self.storage.collections.values()
            ]
        return {
            "id": self.storage.id,
            "app": {"name": "qdrant", "version": VERSION, "startup": self.started},
            "collections": collections,
            "cluster": self._cluster(),
        }

    def _cluster(self) -> dict:
        return {"enabled": False}

    def _states(self, _shard) -> dict[str, str]:
        """Peer → state of its replica."""
        return {"0": "Active"}

    async def _collection(self, collection, level: int) -> dict:
        infos = await asyncio.gather(*(shard.info() for shard in collection.shards))
        if level < 2:
            vectors = sum(info["points_count"] for info in infos)
            return {"vectors": vectors, "optimizers_status": "ok", "params": collection.config["params"]}
        return {
            "id": collection.name,
            "init_time_ms": 0,
            "config": collection.config,
            "shards": [self._shard(collection, shard, info) for shard, info in zip(collection.shards, infos)],
            "transfers": [],
            "resharding": [],
        }

    def _shard(self, collection, shard, info: dict) -> dict:
        return {
            "id": shard.id,
            "local": {
                "variant_name": "dummy shard" if shard.is_dummy else "local shard",
                "status": "green",
                "total_optimized_points": 0,
                "num_points": info["points_count"],
                "num_vectors": info["points_count"],
            },
            "remote": [],
            "replicate_states": self._states(shard),
            "partial_snapshot": {
                "ongoing_create_snapshot_requests": 0,
                "is_recovering": False,
                "recovery_timestamp": collection.recovered_at,
            },
        }

    async def metrics(self) -> str:
        points = {}
        for name, collection in list(self.storage.collections.items()):
            infos = await asyncio.gather(*(shard.info() for shard in collection.shards))
            points[name] = sum(info["points_count"] for info in infos)
        lines = [
            _head("app_info", "information about qdrant server", "gauge"),
            f'app_info{{name="qdrant",version="{VERSION}"}} 1',
            _head("app_status_recovery_mode", "is currently in recovery mode", "gauge"),
            "app_status_recovery_mode 0",
            _head("collections_total", "number of collections", "gauge"),
            f"collections_total {len(points)}",
            _head("collections_vector_total", "total number of vectors in all collections", "gauge"),
            f"collections_vector_total {sum(points.values())}",
            _head("collection_points", "approximate amount of points per collection", "gauge"),
            *(f'collection_points{{id="{name}"}} {count}' for name, count in points.items()),
            _head("snapshot_creation_running", "amount of snapshot creations currently running", "gauge"),
            *self._each("snapshot_creation_running", "snapshots_running"),
            _head(
                "snapshot_recovery_running",
                "amount of snapshot recovery operations currently running",
                "gauge",
            ),
            *self._each("snapshot_recovery_running", "recoveries_running"),
            _head("snapshot_created_total", "total amount of snapshots created", "counter"),
            *self._each("snapshot_created_total", "snapshots_created"),
            *self._replicas(),
            *self._cluster_metrics(),
        ]
        return "\n".join(lines) + "\n"

    def _replicas(self) -> list[str]:
        tables = [self._states(shard) for c in self.storage.collections.values() for shard in c.shards]
        active = [list(table.values()).count("Active") for table in tables]
        dead = sum(any(state != "Active" for state in table.values()) for table in tables)
        return [
            *gauge(
                "collection_active_replicas_min",
                "minimum number of active replicas across all shards",
                min(active, default=0),
            ),
            *gauge(
                "collection_active_replicas_max",
                "maximum number of active replicas across all shards",
                max(active, default=0),
            ),
            *gauge("collection_dead_replicas", "total amount of shard replicas in non-active state", dead),
        ]

    def _cluster_metrics(self) -> list[str]:
        return gauge("cluster_enabled", "is cluster support enabled", 0)

    def _each(self, metric: str, attribute: str) -> list[str]:
        return [
            f'{metric}{{id="{name}"}} {getattr(collection, attribute)}'
            for name, collection in self.storage.collections.items()
        ]


def gauge(name: str, text: str, value: int) -> list[str]:
    return [_head(name, text, "gauge"), f"{name} {value}"]


def _head(name: str, text: str, kind: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}"
