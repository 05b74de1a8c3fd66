"""Agreed operations on replicas and their transfers, with the original's refusals."""

from collections.abc import Callable

from ..errors import bad_input, bad_request, not_found

ACTIVE, DEAD, PARTIAL = "Active", "Dead", "Partial"


def find(state: dict, operation: dict) -> dict:
    collection = state["collections"].get(operation["collection"])
    if collection is None or operation.get("uuid") not in (None, collection["uuid"]):
        raise not_found(f"Collection `{operation['collection']}` doesn't exist!")
    return collection


def forget_peer(collection: dict, peer: str) -> None:
    for shard, table in enumerate(collection["shards"]):
        if peer in table:
            _end_transfers(collection, shard, peer)
            del table[peer]


def _table(state: dict, operation: dict) -> tuple[dict, int, dict]:
    collection, shard = find(state, operation), operation["shard"]
    if not 0 <= shard < len(collection["shards"]):
        raise bad_request(f"Shard {shard} of {operation['collection']} does not exist")
    return collection, shard, collection["shards"][shard]


def _is_last_active(table: dict, peer: str) -> bool:
    return table.get(peer) == ACTIVE and list(table.values()).count(ACTIVE) == 1


def _end_transfers(collection: dict, shard: int, peer: str) -> None:
    """A replica whose source is gone has to find another: it is dead until then."""
    table = collection["shards"][shard]
    for transfer in collection["transfers"]:
        if transfer["shard"] == shard and transfer["from"] == peer and transfer["to"] in table:
            table[transfer["to"]] = DEAD
    collection["transfers"] = [
        t for t in collection["transfers"] if t["shard"] != shard or peer not in (t["from"], t["to"])
    ]


def _set_state(state: dict, operation: dict) -> None:
    """`from` guards against a proposal that was made before the replica changed."""
    collection, shard, table = _table(state, operation)
    peer, wanted = operation["peer"], operation["state"]
    if operation.get("from") not in (None, table.get(peer)):
        raise bad_input(
            f"Replica {peer} of shard {shard} has state {table.get(peer)}, but expected {operation['from']}"
        )
    if wanted != ACTIVE and _is_last_active(table, peer):
        raise bad_input(f"Cannot deactivate the last active replica {peer} of shard {shard}")
    if table.get(peer) != wanted:
        _end_transfers(collection, shard, peer)
        table[peer] = wanted


def _start_transfer(state: dict, operation: dict) -> None:
    collection, shard, table = _table(state, operation)
    source, target = operation["from"], operation["to"]
    for peer in (source, target):
        if peer not in state["peers"]:
            raise bad_request(f"Peer {peer} does not exist")
    if table.get(source) != ACTIVE:
        raise bad_request(f"Shard {shard} is not active on peer {source}")
    for other in collection["transfers"]:
        if other["shard"] == shard and {other["from"], other["to"]} & {source, target}:
            raise bad_request(
                f"Shard {shard} is already involved in transfer {other['from']} -> {other['to']}"
            )
    if source == target or _is_last_active(table, target):
        raise bad_request(f"Shard {shard} can't be transferred to peer {target}")
    table[target] = PARTIAL
    collection["transfers"].append({key: operation[key] for key in ("shard", "from", "to", "sync", "method")})


def _take_transfer(state: dict, operation: dict) -> tuple[dict, dict, dict]:
    collection, shard, table = _table(state, operation)
    for transfer in collection["transfers"]:
        if (transfer["shard"], transfer["from"], transfer["to"]) == (
            shard,
            operation["from"],
            operation["to"],
        ):
            collection["transfers"].remove(transfer)
            return collection, transfer, table
    raise not_found(
        f"Shard transfer {operation['from']} -> {operation['to']} for collection "
        f"{operation['collection']}:{shard} does not exist"
    )


def _finish_transfer(state: dict, operation: dict) -> None:
    _, transfer, table = _take_transfer(state, operation)
    table[transfer["to"]] = ACTIVE
    if not transfer["sync"]:
        del table[transfer["from"]]  # moved


def _abort_transfer(state: dict, operation: dict) -> None:
    _, transfer, table = _take_transfer(state, operation)
    if transfer["sync"]:
        table[transfer["to"]] = DEAD
    else:
        table.pop(transfer["to"], None)


def _drop_replica(state: dict, operation: dict) -> None:
    collection, shard, table = _table(state, operation)
    peer = operation["peer"]
    if peer not in table:
        raise bad_request(f"Peer {peer} has no replica of shard {shard}")
    if not any(other != peer and value == ACTIVE for other, value in table.items()):
        raise bad_request(f"Shard {shard} must have at least one active replica after removing {peer}")
    _end_transfers(collection, shard, peer)
    del table[peer]


def _restored(state: dict, operation: dict) -> None:
    """A replica was replaced by a snapshot: which side is right is the request's `priority`."""
    collection, shard, table = _table(state, operation)
    peer, priority = operation["peer"], operation["priority"]
    others = [other for other, value in table.items() if value == ACTIVE and other != peer]
    _end_transfers(collection, shard, peer)
    table[peer] = DEAD if others and priority == "replica" else ACTIVE
    if not others or priority != "snapshot":
        return
    surplus = 0
    if operation["whole_collection"]:
        surplus = len(others) - (collection["config"]["params"]["replication_factor"] - 1)
    for other in others:
        _end_transfers(collection, shard, other)
        if surplus > 0:
            surplus -= 1
            del table[other]
        else:
            table[other] = DEAD


OPERATIONS: dict[str, Callable[[dict, dict], None]] = {
    "set_state": _set_state,
    "start_transfer": _start_transfer,
    "finish_transfer": _finish_transfer,
    "abort_transfer": _abort_transfer,
    "drop_replica": _drop_replica,
    "restored": _restored,
}
