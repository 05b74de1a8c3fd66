"""Command line and start of the server."""

import argparse
import asyncio
import logging
import os
import sys

from . import config
from .spawner import Spawner, set_process_name

VERSION = "1.18.3"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="qdrant", description="Qdrant (read: quadrant) is a vector similarity search engine"
    )
    parser.add_argument(
        "--config-path", metavar="CONFIG_PATH", help="Path to an alternative configuration file"
    )
    parser.add_argument(
        "--uri",
        metavar="URI",
        default=os.environ.get("QDRANT_URI"),
        help="Uri of this peer, by which the others reach it; the first one of a cluster must have it",
    )
    parser.add_argument(
        "--bootstrap",
        metavar="URI",
        default=os.environ.get("QDRANT_BOOTSTRAP"),
        help="Uri of a peer to join; without it this peer is the first of a new cluster",
    )
    parser.add_argument("--disable-telemetry", action="store_true", help="Disable telemetry")
    parser.add_argument("--version", "-V", action="version", version=f"qdrant {VERSION}")
    arguments = parser.parse_args()
    set_process_name("qdrant")
    try:
        settings = config.load(arguments.config_path, config.environment())
    except config.ConfigError as error:
        sys.exit(f"qdrant: {error}")
    logging.basicConfig(
        level=_level(str(settings["log_level"])),
        format="%(asctime)s  %(levelname)s %(name)s: %(message)s",
        stream=sys.stdout,
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)

    # Before the spawner forks: its children inherit the lock, so it is free only when the last of them is gone.
    from pathlib import Path

    from .storage import lock

    try:
        lock(Path(settings["storage"]["storage_path"]))
    except OSError as error:
        sys.exit(f"qdrant: storage {settings['storage']['storage_path']} can't be used: {error}")
    spawner = Spawner()

    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, spawner, arguments))


async def _serve(settings: dict, spawner: Spawner, arguments: argparse.Namespace) -> None:
    import uvicorn

    from .api import Api

    log = logging.getLogger("qdrant")
    storage, node = await _open(settings, spawner, arguments)
    service = settings["service"]
    server = uvicorn.Server(
        uvicorn.Config(
            Api(storage, settings) if node is None else _cluster_api(storage, settings, node),
            host=service["host"],
            port=int(service["http_port"]),
            http="httptools",
            loop="none",
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            backlog=1024,
        )
    )
    log.info("Qdrant HTTP listening on %s", service["http_port"])
    try:
        await server.serve()
    finally:
        if node is not None:
            await node.close()
        await storage.close()


async def _open(settings: dict, spawner: Spawner, arguments: argparse.Namespace):
    """The storage and, in a cluster, this node as a member of it."""
    from .storage import Storage

    if not settings["cluster"]["enabled"]:
        storage = Storage(settings, spawner, _shard_process_lost)
        await storage.open()
        return storage, None

    from .cluster.node import Node, NotJoined
    from .cluster.storage import ClusterStorage

    storage = ClusterStorage(settings, spawner, _shard_process_lost)
    try:
        node = Node(settings, storage)
        await storage.open()
        await node.start(arguments.uri, arguments.bootstrap)
    except (NotJoined, OSError) as error:
        sys.exit(f"qdrant: {error}")
    return storage, node


def _cluster_api(storage, settings: dict, node):
    from .cluster.api import ClusterApi

    return ClusterApi(storage, settings, node)


def _shard_process_lost() -> None:
    """The original is one process: a part of it that dies takes the rest along, and systemd starts it again."""
    logging.getLogger("qdrant").critical("a shard's process ended unexpectedly")
    os._exit(101)


def _level(text: str) -> int:
    first = text.split(",")[0].upper()
    return {"TRACE": 10, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "OFF": 60}.get(
        first, 20
    )
