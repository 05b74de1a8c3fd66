"""All collections of a node in a cluster: changes are agreed first, and then followed."""

import logging
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from ..collection_config import initial_config
from ..storage import Storage, check_name
from .collection import DistributedCollection
from .options import current

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("qdrant")


class ClusterStorage(Storage):
    collections: dict[str, DistributedCollection]  # type: ignore[assignment]
    node: "Node"  # set once, when the node is made: each needs the other

    async def _load(self, path: Path) -> DistributedCollection:
        return await DistributedCollection.open(path, self.node, self._spawner, self._on_lost)

    async def follow(self, state: dict) -> None:
        """Makes what is on this node as it was agreed."""
        wanted = state["collections"]
        for name, collection in list(self.collections.items()):
            if name not in wanted or wanted[name]["uuid"] != collection.uuid:
                del self.collections[name]
                await self._bury(collection)
        for name, agreed in wanted.items():
            if name in self.collections:
                await self.collections[name].follow(agreed)
            else:
                await self._make(name, agreed)
        self._save_aliases(state["aliases"])

    async def _make(self, name: str, agreed: dict) -> None:
        path = self.root / "collections" / name
        shutil.rmtree(path, ignore_errors=True)  # left behind by an earlier attempt
        self.collections[name] = await DistributedCollection.make(
            name, path, agreed, self.node, self._spawner, self._on_lost
        )
        self.snapshots_of(name).mkdir(parents=True, exist_ok=True)

    async def create(self, name: str, request: dict, schema: dict | None = None) -> DistributedCollection:
        check_name(name)
        config = initial_config(request, self.settings, len(self.node.state["peers"]))
        operation = {
            "op": "create",
            "collection": name,
            "uuid": str(uuid.uuid4()),
            "config": config,
            "schema": schema or {},
        }
        await self.node.agree(operation, current().timeout, everywhere=True)
        return self.collections[name]

    async def delete(self, name: str) -> bool:
        name = self.aliases.get(name, name)
        existed = name in self.collections
        await self.node.agree({"op": "delete", "collection": name}, current().timeout)
        return existed

    async def change_aliases(self, actions: list[dict]) -> None:
        operation = {"op": "aliases", "actions": actions}
        await self.node.agree(operation, current().timeout, everywhere=True)
