"""Ports for servers that must be told theirs."""

import socket

HOST = "127.0.0.1"


def free_port() -> int:
    """A port of loopback that the system gives to nobody else for the next half a minute.

    A connection to it has just been closed on this side. As long as the system remembers that (TIME_WAIT: a minute on
    Linux, half of one on macOS), it neither chooses the port for others nor lets them bind it, servers with
    SO_REUSEADDR aside: those of Go, asyncio and http.server set it.
    """
    with socket.create_server((HOST, 0)) as server:
        with socket.create_connection(server.getsockname()):
            accepted, _ = server.accept()
            # Before the other end: the side that closes first is the one that remembers.
            accepted.close()
        return server.getsockname()[1]
