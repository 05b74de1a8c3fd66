"""Moving a shard's data to another node: a snapshot, then the writes since, in their order, then the switch.

The methods that a request may name differ in the original in speed, not in outcome; here all are this one.
"""

import asyncio
import logging
import os
import shutil
from pathlib import Path


from ..errors import ApiError
from ..files import pack
from ..shard import SNAPSHOT_PARTS
from .links import PeerUnreachable
from .state import ACTIVE, DEAD

log = logging.getLogger("qdrant")
CHUNK = 4 << 20
FEW_WRITES = 64  # so many are sent while writes wait
ROUNDS = 50
AGREE_SECONDS = 10.0


def _key(collection: str, uuid: str, transfer: dict) -> tuple:
    return (collection, uuid, transfer["shard"], transfer["from"], transfer["to"])


class Outgoing:
    """The source's side: one task for each agreed transfer from this node."""

    def __init__(self, node):
        self._node = node
        self._running: dict[tuple, asyncio.Task] = {}

    def follow(self, agreed: dict) -> None:
        wanted = {
            _key(name, collection["uuid"], transfer): transfer
            for name, collection in agreed["collections"].items()
            for transfer in collection["transfers"]
            if transfer["from"] == self._node.peer
        }
        for key, task in list(self._running.items()):
            if key not in wanted:
                task.cancel()
                del self._running[key]
        for key, transfer in wanted.items():
            if key not in self._running:
                self._running[key] = asyncio.ensure_future(self._run(key, transfer))

    async def close(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: tuple, transfer: dict) -> None:
        operation = {"collection": key[0], "uuid": key[1], **transfer}
        try:
            await self._send(key, transfer)
            log.info("Finished transfer of shard %s to peer %s", transfer["shard"], transfer["to"])
        except (ApiError, PeerUnreachable, OSError) as error:
            log.warning(
                "Transfer of shard %s to peer %s failed: %s", transfer["shard"], transfer["to"], error
            )
            await self._propose_until_done({**operation, "op": "abort_transfer"})
            # where the switch was agreed all the same, it was not known here in time: writes may be missing there
            dead = {"op": "set_state", "peer": transfer["to"], "state": DEAD, "from": ACTIVE}
            await self._propose_until_done({**operation, **dead})

    async def _propose_until_done(self, operation: dict) -> None:
        """A refusal means that it is no longer so; anything else is for later."""
        while True:
            try:
                await self._node.consensus.propose(operation, AGREE_SECONDS)
                return
            except ApiError as error:
                if error.status < 500:
                    return
                await asyncio.sleep(1)

    async def _send(self, key: tuple, transfer: dict) -> None:
        node, to = self._node, transfer["to"]
        replica_set = node.storage.collections[key[0]].replica_set(transfer["shard"])
        shard = replica_set.writes.local()
        archive = node.storage.snapshots_root / "tmp" / f"transfer-{key[1]}-{shard.id}-{to}.tar"

        async def call(name: str, payload: bytes = b"", **head) -> None:
            await node.links.call(to, name, {**replica_set.head(), **head}, payload)

        try:
            async with shard.snapshot_lock:
                archive.touch(mode=0o600)
                async with shard.gate.frozen():
                    await shard.flush()
                    await pack(archive, shard.path, SNAPSHOT_PARTS)
                    shard.journal = []
            with open(archive, "rb") as file:
                offset = 0
                while chunk := await asyncio.to_thread(file.read, CHUNK):
                    await call("transfer_chunk", chunk, offset=offset)
                    offset += len(chunk)
            await call("transfer_load")
            for _ in range(ROUNDS):
                if len(shard.journal) <= FEW_WRITES:
                    break
                await self._replay(call, shard)
            async with shard.gate.frozen():
                await self._replay(call, shard)
                operation = {"op": "finish_transfer", "collection": key[0], "uuid": key[1], **transfer}
                # until it is known here: a write that waits is then refused and sent to the new replica, too
                index = await node.consensus.propose(operation, AGREE_SECONDS)
                await node.consensus.changed.until(lambda: node.consensus.index >= index, AGREE_SECONDS)
        finally:
            shard.journal = None
            archive.unlink(missing_ok=True)

    @staticmethod
    async def _replay(call, shard) -> None:
        writes, shard.journal = shard.journal, []
        for operation, body in writes:
            await call("transfer_write", body, operation=operation)


class Incoming:
    """The target's side."""

    def __init__(self, node):
        self._node = node
        self.handlers = {
            "transfer_chunk": self._on_chunk,
            "transfer_load": self._on_load,
            "transfer_write": self._on_write,
        }

    def _archive(self, head: dict) -> Path:
        return self._node.storage.snapshots_root / "tmp" / f"incoming-{head['uuid']}-{head['shard']}.tar"

    async def _on_chunk(self, head: dict, payload: bytes) -> bytes:
        await self._node.replica_set(head)
        mode = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if head["offset"] == 0 else 0)
        descriptor = os.open(self._archive(head), mode, 0o600)
        try:
            await asyncio.to_thread(os.pwrite, descriptor, payload, head["offset"])
        finally:
            os.close(descriptor)
        return b""

    async def _on_load(self, head: dict, _payload: bytes) -> bytes:
        replica_set = await self._node.replica_set(head)
        shard, archive = replica_set.writes.local(), self._archive(head)
        temporary = self._node.storage.temporary(f"transfer-{head['shard']}-")
        try:
            unpacked = temporary / "unpacked"
            await shard.run_task("unpack", {"snapshot": str(archive), "target": str(unpacked)})
            await shard.replace(unpacked, replica_set.collection.payload_schema)
        finally:
            archive.unlink(missing_ok=True)
            await asyncio.to_thread(shutil.rmtree, temporary, True)
        return b""

    async def _on_write(self, head: dict, payload: bytes) -> bytes:
        replica_set = await self._node.replica_set(head)
        try:
            await replica_set.writes.local().update(head["operation"], payload)
        except ApiError as error:
            if error.status >= 500:
                raise
            log.debug("refused here as at the source: %s", error.message)
        return b""
