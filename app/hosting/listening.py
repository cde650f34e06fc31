"""The socket that the service listens on."""

import socket

from index.errors import KildesvarError


class AddressTakenError(KildesvarError):
    """The service cannot listen where it was told to."""


_TAKES_WITHIN = 60.0
"""Seconds after which a connection is cut whose other side takes nothing of what is sent to it."""


def address_of(host: str, listening: socket.socket) -> str:
    """The address of the service that can be reached on `listening`."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/"


def listen(host: str, port: int) -> socket.socket:
    """A socket on which the service can be reached. Raises AddressTakenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where TCP is named; with it, an answer's body waits
    # 40 ms for the other side to acknowledge the headers.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # the connections have it from here
            listening.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_TAKES_WITHIN * 1000)
            )
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise AddressTakenError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --host or --port, "
            "or set KILDESVAR_HOST or KILDESVAR_PORT"
        ) from error
    return listening
