"""Waking whoever waits for something to change, without missing a change in between."""

import asyncio
from collections.abc import Callable


class Signal:
    def __init__(self) -> None:
        self._next: asyncio.Future | None = None

    def fire(self) -> None:
        waiter, self._next = self._next, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def next(self) -> asyncio.Future:
        """Done at the next change; take it before looking, so that none is missed."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    async def within(self, waiter: asyncio.Future, seconds: float) -> None:
        await asyncio.wait([waiter], timeout=seconds)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether the condition came true in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not condition():
            waiter = self.next()
            left = deadline - loop.time()
            if left <= 0:
                return False
            await self.within(waiter, left)
        return True
