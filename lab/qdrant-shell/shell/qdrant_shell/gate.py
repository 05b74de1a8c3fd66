"""Lets many writes through together, and now and then none: a snapshot's files must not change under it."""

import asyncio
from contextlib import asynccontextmanager


class WriteGate:
    def __init__(self) -> None:
        self._writing = 0
        self._frozen = 0
        self._changed = asyncio.Condition()
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def writing(self):
        while self._frozen:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._frozen)
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1
            if self._frozen and not self._writing:
                async with self._changed:
                    self._changed.notify_all()

    @asynccontextmanager
    async def frozen(self):
        async with self._one_at_a_time:
            self._frozen += 1
            try:
                async with self._changed:
                    await self._changed.wait_for(lambda: not self._writing)
                yield
            finally:
                self._frozen -= 1
                async with self._changed:
                    self._changed.notify_all()
