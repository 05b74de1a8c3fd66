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
        runner.run(_serve(settings, spawner))


async def _serve(settings: dict, spawner: Spawner) -> None:
    import uvicorn

    from .api import Api
    from .storage import Storage

    log = logging.getLogger("qdrant")
    storage = Storage(settings, spawner, _shard_process_lost)
    await storage.open()
    service = settings["service"]
    server = uvicorn.Server(
        uvicorn.Config(
            Api(storage, settings),
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
        await storage.close()


def _shard_process_lost() -> None:
    """The original is one process: a part of it that dies takes the rest along, and systemd starts it again."""
    logging.getLogger("qdrant").critical("a shard's process ended unexpectedly")
    os._exit(101)


def _level(text: str) -> int:
    first = text.split(",")[0].upper()
    return {"TRACE": 10, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "OFF": 60}.get(
        first, 20
    )
