"""The process that sends: its name, its event loop, and the signals that stop it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress


def sender_name() -> str:
    """The name of this process, for people to read."""
    return f"{socket.gethostname()}:{os.getpid()}"


def event_loop() -> asyncio.Runner:
    """The fastest event loop that is installed."""
    # What is loaded by now stays loaded, and batches are not garbage: collecting over both took a
    # tenth of the time of a send.
    gc.freeze()
    gc.set_threshold(20_000)
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    return asyncio.Runner(loop_factory=factory)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT, SIGTERM and SIGHUP (a closed terminal) set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    names = [signal.SIGINT, signal.SIGTERM]
    # Under `nohup` SIGHUP is ignored, and the send is meant to outlive its terminal.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        names.append(signal.SIGHUP)
    for name in names:
        with suppress(ValueError, NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    return stop
