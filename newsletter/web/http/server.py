"""Serves an application on this machine until it is stopped."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from newsletter.errors import UnavailableError
from newsletter.web.http.request_timeout import MOST_HEADERS, RequestTimeout

LOOPBACK = "127.0.0.1"
STOP_TIMEOUT_S = 5


def free_port() -> int:
    """A TCP port on loopback that is free right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def serve(
    app: ASGIApp,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    path: str = "/",
    browser: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; running requests get five seconds to finish.

    The address is printed once connections are accepted. There is no access log here: paths contain
    tokens, and the applications log their routes instead.

    Args:
        app: An ASGI application.
        host: Where to listen; loopback unless told otherwise.
        port: 0 chooses a free one.
        path: The path in the printed address.
        browser: Whether to open the address in the user's browser.

    Raises:
        UnavailableError: The address is in use or not this machine's.
    """
    listener = _listen(host, port)
    url = _address(listener, path)
    print(f"Serving {url}  (Ctrl-C stops)", flush=True)
    if browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    # A committing thread must not wait Python's default of 5 ms for the thread that answers.
    sys.setswitchinterval(0.0005)
    with listener, contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(_config(app)).run(sockets=[listener])


@contextlib.contextmanager
def background(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve on loopback in a thread, for as long as the block runs.

    Args:
        app: An ASGI application.
        port: 0 chooses a free one.

    Yields:
        The address, without a trailing slash.

    Raises:
        UnavailableError: The port is in use.
    """
    with _listen(LOOPBACK, port) as listener:
        server = uvicorn.Server(_config(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield _address(listener, "")
        finally:
            server.should_exit = True
            thread.join()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=RequestTimeout,
        h11_max_incomplete_event_size=MOST_HEADERS,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="auto",
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


def _listen(host: str, port: int) -> socket.socket:
    # Bound here, not by uvicorn: it exits by itself if the port is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise UnavailableError(
            f"cannot listen on {host} port {port}: {error}",
            fix="stop the program that uses it, or choose another port with --port",
        ) from None


def _address(listener: socket.socket, path: str) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{path}"
