"""The server's configuration: defaults, then the YAML file, then `QDRANT__SECTION__KEY` from the environment."""

import os
from typing import Any

import yaml

DEFAULTS: dict[str, Any] = {
    "log_level": "INFO",
    "storage": {
        "storage_path": "./storage",
        "snapshots_path": "./snapshots",
        "temp_path": None,
        "on_disk_payload": True,
        "wal": {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1},
        "optimizers": {
            "deleted_threshold": 0.2,
            "vacuum_min_vector_number": 1000,
            "default_segment_number": 0,
            "max_segment_size": None,
            "indexing_threshold": 10000,
            "flush_interval_sec": 5,
            "max_optimization_threads": None,
        },
        "hnsw_index": {
            "m": 16,
            "ef_construct": 100,
            "full_scan_threshold": 10000,
            "max_indexing_threads": 0,
            "on_disk": False,
        },
    },
    "service": {
        "host": "0.0.0.0",
        "http_port": 6333,
        "grpc_port": 6334,
        "api_key": None,
        "read_only_api_key": None,
        "enforce_internal_auth": False,
        "max_request_size_mb": 32,
        "enable_snapshot_url_recovery": True,
    },
    "cluster": {
        "enabled": False,
        "p2p": {"port": 6335, "enable_tls": False},
        "consensus": {"tick_period_ms": 100, "bootstrap_timeout_sec": 15},
    },
    "tls": {"cert": "./tls/cert.pem", "key": "./tls/key.pem", "ca_cert": "./tls/cacert.pem"},
}


class ConfigError(Exception):
    pass


def load(path: str | None, environment: dict[str, str]) -> dict:
    config = _merge({}, DEFAULTS)
    if path is not None:
        try:
            with open(path, encoding="utf-8") as file:
                content = yaml.safe_load(file) or {}
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"configuration file {path} can't be read: {error}") from error
        config = _merge(config, content)
    for name, value in environment.items():
        if name.startswith("QDRANT__"):
            keys = [key.lower() for key in name[len("QDRANT__") :].split("__")]
            _set(config, keys, value)
    if config["service"].get("enable_tls"):
        raise ConfigError("TLS is not available: set service.enable_tls to false")
    return config


def _merge(base: dict, over: dict) -> dict:
    merged = {key: _merge({}, value) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in over.items():
        if isinstance(value, dict):
            inner = merged.get(key)
            merged[key] = _merge(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def _set(config: dict, keys: list[str], text: str) -> None:
    for key in keys[:-1]:
        config = config.setdefault(key, {})
    # a key that is text by default stays text, so that a numeric API key is not turned into a number
    textual = keys[-1].endswith("key") or isinstance(config.get(keys[-1]), str)
    config[keys[-1]] = text if textual else yaml.safe_load(text)


def environment() -> dict[str, str]:
    return dict(os.environ)
