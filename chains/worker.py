"""Proving blocks in a process of its own, so that 4-23 ms of hashing never hold up the loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar, TypeVarTuple

from chains.base import ChainUnavailable, Observer

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Worker:
    """One process that works for any number of clients; started by the first work."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None
        self._clients = 0

    def hold(self) -> None:
        """One client more needs it."""
        self._clients += 1

    async def release(self) -> None:
        """One client fewer; the last one to leave ends the process."""
        self._clients -= 1
        if self._clients == 0 and self._executor is not None:
            executor, self._executor = self._executor, None
            await asyncio.to_thread(executor.shutdown)

    async def run(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """What `function`, of a module's top level, gives or raises there; all can be pickled.

        Raises:
            ChainUnavailable: the process died, and the one that replaced it too.
        """
        for _ in range(2):
            executor = self._running()
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    executor, function, *arguments
                )
            except BrokenProcessPool:
                if self._executor is executor:  # else another caller has replaced it
                    self._executor = None
        raise ChainUnavailable("the process that proves blocks died twice")

    def _running(self) -> ProcessPoolExecutor:
        if self._executor is None:
            # Spawned: a fork would carry over the loop's threads and sockets.
            self._executor = ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=_follow_parent
            )
        return self._executor


def _follow_parent() -> None:
    """Leave signals to the parent, which drains first, and end when it is gone, even killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None  # only ever run in a child
    parent.join()
    os._exit(1)


def timed(work: Callable[[*Ts], Awaitable[T]], observer: Observer) -> Callable[[*Ts], Awaitable[T]]:
    """`work`, the observer told how long each took, waiting for its turn included."""

    async def observed(*arguments: *Ts) -> T:
        started = time.monotonic()
        try:
            return await work(*arguments)
        finally:
            observer.proved(time.monotonic() - started)

    return observed


SHARED = Worker()
"""The one for all clients in this process: they take turns rather than cores."""
