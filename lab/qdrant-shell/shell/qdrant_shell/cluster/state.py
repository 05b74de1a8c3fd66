"""What the nodes agree on, and how each agreed operation changes it: pure functions over plain JSON.

`{peers: {id: {uri}}, aliases, collections: {name: {uuid, config, schema, shards, transfers}}}`. Each shard is a
table `peer → state of its replica`. Ids of peers are text here, since they are keys of JSON objects.
"""

import copy
from collections.abc import Callable

from .. import aliases
from ..collection_config import parameters_changed
from ..errors import already_exists, bad_input, bad_request
from . import replicas

ACTIVE, DEAD, PARTIAL, MANUAL = "Active", "Dead", "Partial", "ManualRecovery"


def empty() -> dict:
    return {"peers": {}, "aliases": {}, "collections": {}}


def applied(state: dict, operation: dict) -> dict:
    """The state after an operation; raises the API's error where it is refused."""
    after = copy.deepcopy(state)
    _OPERATIONS[operation["op"]](after, operation)
    return after


def active(table: dict[str, str]) -> list[str]:
    return [peer for peer, state in table.items() if state == ACTIVE]


def placement(state: dict, shards: int, replication_factor: int) -> list[list[str]]:
    """Even within the collection; where that leaves a choice, to the peers that hold least of the others."""
    others = dict.fromkeys(state["peers"], 0)
    for collection in state["collections"].values():
        for table in collection["shards"]:
            for peer in table:
                others[peer] = others.get(peer, 0) + 1
    mine = dict.fromkeys(state["peers"], 0)
    placed = []
    for _ in range(shards):
        chosen = sorted(mine, key=lambda peer: (mine[peer], others[peer], peer))[:replication_factor]
        for peer in chosen:
            mine[peer] += 1
        placed.append(chosen)
    return placed


def has_shards(state: dict, peer: str) -> bool:
    return any(
        peer in table for collection in state["collections"].values() for table in collection["shards"]
    )


def _add_peer(state: dict, operation: dict) -> None:
    uri = operation["uri"]
    for peer, known in state["peers"].items():
        if known["uri"] == uri and peer != operation["peer"]:
            raise bad_input(
                f"peer URI {uri} already used by peer {peer}, remove it first or use a different URI"
            )
    state["peers"][operation["peer"]] = {"uri": uri}


def _remove_peer(state: dict, operation: dict) -> None:
    peer = operation["peer"]
    if not operation.get("force") and has_shards(state, peer):
        raise bad_request(f"Cannot remove peer {peer} as there are shards on it")
    state["peers"].pop(peer, None)
    for collection in state["collections"].values():
        replicas.forget_peer(collection, peer)


def _create(state: dict, operation: dict) -> None:
    name = operation["collection"]
    present = state["collections"].get(name)
    if present is not None:
        if present["uuid"] == operation["uuid"]:
            return  # repeated after its answer was lost
        raise already_exists(f"Collection `{name}` already exists!")
    if name in state["aliases"]:
        raise bad_input(f"Can't create collection with name {name}. Alias with the same name already exists")
    params = operation["config"]["params"]
    placed = placement(state, params["shard_number"], params["replication_factor"])
    state["collections"][name] = {
        "uuid": operation["uuid"],
        "config": operation["config"],
        "schema": operation.get("schema") or {},
        "shards": [dict.fromkeys(peers, ACTIVE) for peers in placed],
        "transfers": [],
    }


def _delete(state: dict, operation: dict) -> None:
    state["collections"].pop(operation["collection"], None)
    state["aliases"] = aliases.without(state["aliases"], operation["collection"])


def _change(state: dict, operation: dict) -> None:
    collection = replicas.find(state, operation)
    collection["config"] = parameters_changed(collection["config"], operation["request"])


def _aliases(state: dict, operation: dict) -> None:
    state["aliases"] = aliases.changed(state["aliases"], state["collections"], operation["actions"])


def _index(state: dict, operation: dict) -> None:
    schema = replicas.find(state, operation)["schema"]
    if operation["schema"] is None:
        schema.pop(operation["field"], None)
    else:
        schema[operation["field"]] = operation["schema"]


_OPERATIONS: dict[str, Callable[[dict, dict], None]] = {
    "add_peer": _add_peer,
    "remove_peer": _remove_peer,
    "create": _create,
    "delete": _delete,
    "change": _change,
    "aliases": _aliases,
    "index": _index,
    **replicas.OPERATIONS,
}
