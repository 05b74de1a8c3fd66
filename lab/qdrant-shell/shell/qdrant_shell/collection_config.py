"""A collection's configuration as the API shows it: the request over the server's defaults."""

from .errors import ApiError, bad_input, format_error

_DISTANCES = ("Cosine", "Euclid", "Dot", "Manhattan")


def initial_config(request: dict, settings: dict, peers: int = 1) -> dict:
    """In a cluster there is a shard for every peer where the request does not say how many."""
    storage = settings["storage"]
    defaults = storage.get("collection") or {}
    vectors = request.get("vectors") or {}
    _check_vectors(vectors)
    shards = request.get("shard_number")
    if shards is None:
        shards = defaults.get("shard_number") or peers
    if not isinstance(shards, int) or shards < 1:
        raise ApiError(422, "Validation error in JSON body: [shard_number: value must be 1 or larger]")
    if request.get("sharding_method") == "custom":
        raise bad_input("sharding_method custom is supported only in distributed deployment")
    params: dict = {
        "vectors": vectors,
        "shard_number": shards,
        "replication_factor": request.get("replication_factor") or defaults.get("replication_factor") or 1,
        "write_consistency_factor": request.get("write_consistency_factor")
        or defaults.get("write_consistency_factor")
        or 1,
        "on_disk_payload": _first(request.get("on_disk_payload"), storage["on_disk_payload"]),
    }
    if request.get("sparse_vectors"):
        params["sparse_vectors"] = request["sparse_vectors"]
    config = {
        "params": params,
        "hnsw_config": _over(
            _known(storage["hnsw_index"], "full_scan_threshold_kb"), request.get("hnsw_config")
        ),
        "optimizer_config": _over(
            _known(storage["optimizers"], "indexing_threshold_kb", "max_segment_size_kb"),
            request.get("optimizers_config"),
        ),
        "wal_config": _over(storage["wal"], request.get("wal_config")),
        "quantization_config": request.get("quantization_config"),
        "strict_mode_config": {"enabled": False, **(request.get("strict_mode_config") or {})},
    }
    if request.get("metadata") is not None:
        config["metadata"] = request["metadata"]
    return config


def parameters_changed(config: dict, request: dict) -> dict:
    """What `PATCH` may change; vectors and shards are fixed at creation."""
    changed = {**config}
    for mine, theirs in (
        ("hnsw_config", "hnsw_config"),
        ("optimizer_config", "optimizers_config"),
        ("strict_mode_config", "strict_mode_config"),
        ("metadata", "metadata"),
    ):
        if request.get(theirs) is not None:
            changed[mine] = {**(config.get(mine) or {}), **request[theirs]}
    allowed = ("replication_factor", "write_consistency_factor", "on_disk_payload", "read_fan_out_factor")
    params = request.get("params") or {}
    changed["params"] = {
        **config["params"],
        **{key: params[key] for key in allowed if params.get(key) is not None},
    }
    return changed


def _check_vectors(vectors: dict) -> None:
    entries = {"": vectors} if "size" in vectors or "distance" in vectors else vectors
    for name, params in entries.items():
        if not isinstance(params, dict) or "size" not in params or "distance" not in params:
            raise format_error(f"vectors {name!r}: `size` and `distance` are required")
        if params["distance"] not in _DISTANCES:
            raise format_error(
                f"unknown variant `{params['distance']}`, expected one of "
                + ", ".join(f"`{known}`" for known in _DISTANCES)
            )
        if not isinstance(params["size"], int) or not 1 <= params["size"] <= 65536:
            raise ApiError(
                422, "Validation error in JSON body: [vectors.size: value must be from 1 to 65536]"
            )


def _first(value, fallback):
    return fallback if value is None else value


def _known(section: dict, *renamed: str) -> dict:
    """The file's names carry units (`…_kb`), the API's do not."""
    known = {key: value for key, value in section.items() if key not in renamed}
    for name in renamed:
        if name in section:
            known[name.removesuffix("_kb")] = section[name]
    return known


def _over(base: dict, over: dict | None) -> dict:
    merged = dict(base)
    merged.update({key: value for key, value in (over or {}).items() if value is not None})
    return merged
