"""All collections and aliases of the server, and where they lie on disk."""

import asyncio
import fcntl
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from . import aliases
from .collection import Collection
from .errors import already_exists, bad_input, not_found
from .files import write_durably
from .spawner import Spawner

_BAD_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


class Storage:
    def __init__(self, settings: dict, spawner: Spawner, on_lost: Callable[[], None]):
        self.settings = settings
        self.root = Path(settings["storage"]["storage_path"]).absolute()
        self.snapshots_root = Path(settings["storage"]["snapshots_path"]).absolute()
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}
        self.id = str(uuid.uuid4())
        self._spawner = spawner
        self._on_lost = on_lost
        self._meta_lock = asyncio.Lock()

    async def open(self) -> None:
        for folder in (self.root / "collections", self.root / "aliases", self.snapshots_root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.root / ".deleted", ignore_errors=True)
        shutil.rmtree(self.temporary_root, ignore_errors=True)
        known = self.root / "aliases" / "data.json"
        if known.exists():
            self.aliases = json.loads(known.read_bytes())
        for path in sorted((self.root / "collections").iterdir()):
            if not (path / "config.json").exists():
                shutil.rmtree(path)  # its creation was interrupted before it was acknowledged
                continue
            self.collections[path.name] = await self._load(path)

    async def _load(self, path: Path) -> Collection:
        return await Collection.load(path, self._spawner, self._on_lost)

    async def close(self) -> None:
        await asyncio.gather(*(collection.close() for collection in self.collections.values()))

    @property
    def temporary_root(self) -> Path:
        return self.root / ".tmp"

    def temporary(self, prefix: str) -> Path:
        folder = self.temporary_root / f"{prefix}{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        return folder

    def find(self, name: str) -> Collection:
        collection = self.collections.get(self.aliases.get(name, name))
        if collection is None:
            raise not_found(f"Collection `{name}` doesn't exist!")
        return collection

    def exists(self, name: str) -> bool:
        return self.aliases.get(name, name) in self.collections

    def snapshots_of(self, collection: str) -> Path:
        return self.snapshots_root / collection

    async def create(self, name: str, request: dict, schema: dict | None = None) -> Collection:
        """`schema`: the payload indexes that a snapshot brings."""
        async with self._meta_lock:
            check_name(name)
            if name in self.collections:
                raise already_exists(f"Collection `{name}` already exists!")
            if name in self.aliases:
                raise bad_input(
                    f"Can't create collection with name {name}. Alias with the same name already exists"
                )
            path = self.root / "collections" / name
            try:
                collection = await Collection.create(
                    name, path, request, self.settings, self._spawner, self._on_lost
                )
            except BaseException:
                shutil.rmtree(path, ignore_errors=True)
                raise
            if schema:
                collection.adopt_payload_schema(schema)
            self.snapshots_of(name).mkdir(parents=True, exist_ok=True)
            self.collections[name] = collection
            return collection

    async def delete(self, name: str) -> bool:
        async with self._meta_lock:
            name = self.aliases.get(name, name)
            collection = self.collections.pop(name, None)
            self._save_aliases(aliases.without(self.aliases, name))
            if collection is None:
                return False
            await self._bury(collection)
            return True

    async def _bury(self, collection: Collection) -> None:
        await collection.close()
        grave = self.root / ".deleted" / f"{collection.name}-{time.time_ns()}"
        grave.parent.mkdir(exist_ok=True)
        os.rename(collection.path, grave)
        await asyncio.to_thread(shutil.rmtree, grave, True)

    async def change_aliases(self, actions: list[dict]) -> None:
        """All or nothing: one file is replaced once."""
        async with self._meta_lock:
            self._save_aliases(aliases.changed(self.aliases, self.collections, actions))

    def _save_aliases(self, changed: dict[str, str]) -> None:
        if changed != self.aliases:
            write_durably(self.root / "aliases" / "data.json", json.dumps(changed).encode())
            self.aliases = changed

    def alias_list(self, collection: str | None = None) -> list[dict]:
        return [
            {"alias_name": alias, "collection_name": target}
            for alias, target in sorted(self.aliases.items())
            if collection is None or target == collection
        ]


def check_name(name: str) -> None:
    if _BAD_NAME.search(name) or not 1 <= len(name) <= 255 or name in (".", ".."):
        raise bad_input(f"collection name `{name}` contains forbidden characters or has a wrong length")


def lock(root: Path, patience_seconds: float = 10.0) -> int:
    """Waits for the processes of a server that was killed a moment ago; children inherit the lock."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
