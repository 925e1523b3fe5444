"""Refuses every connection and name lookup that would leave this machine, before it happens.

Stands alone (no import from stackyard), since it runs in processes that know only this folder.
It sees what goes through Python's `socket`. C libraries with sockets of their own (gRPC, curl) are kept on loopback by
the environment that `safety.child_environment` builds, not by this.
"""

import ipaddress
import sys
from typing import Any

# https://docs.python.org/3.11/library/audit_events.html: the events of module socket that name a peer or a host.
_ADDRESS_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_HOST_EVENTS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})

_state = {"installed": False}


class LeavesThisMachine(RuntimeError):
    """Not an OSError: those are retried by clients, and a forbidden connection must fail at once."""


def install() -> None:
    """Installs the guard for the rest of the process. A second call does nothing; an audit hook cannot be removed."""
    if not _state["installed"]:
        _state["installed"] = True
        sys.addaudithook(_audit)


def is_loopback(host: Any) -> bool:
    """Whether a host, by its literal alone, is this machine. Nothing is looked up."""
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    if host is None or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in _HOST_EVENTS:
        host = args[0]
    elif event in _ADDRESS_EVENTS:
        address = args[1]
        # Unix sockets have paths, netlink and the like numbers: only internet addresses begin with a host's name.
        if not isinstance(address, tuple) or not address or not isinstance(address[0], str):
            return
        host = address[0]
    else:
        return
    if not is_loopback(host):
        raise LeavesThisMachine(
            f"a local run tried to reach {host!s}: processes of a local environment may only use this machine "
            "(127.0.0.1), so that nothing touches a real account. Use the endpoint in AWS_ENDPOINT_URL, "
            "and read data from the data bucket or from installed packages."
        )
