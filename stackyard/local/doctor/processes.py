"""Who holds a lock and who listens on a port, as far as this machine tells. Reads only; ends nothing."""

import contextlib
import fcntl
import os
import pwd
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# proc(5), /proc/net/tcp: state 0A is LISTEN.
_LISTEN = "0A"


@dataclass(frozen=True)
class Lock:
    path: Path
    held: bool = False
    note: str = ""
    """What the last holder wrote into it, such as `anna (pid 812)`; emptied by one that ended in order."""

    @property
    def pid(self) -> int | None:
        """A living process that holds it; None if nobody does, or if it cannot be told."""
        if not self.held:
            return None
        named = re.search(r"\(pid (\d+)\)", self.note)
        if named and alive(int(named[1])):
            return int(named[1])
        # The one who is named ended, but left the open file to a child.
        return next(having_open(str(self.path.resolve())), None)

    @property
    def holder(self) -> str:
        pid = self.pid
        if pid is None:
            return self.note or "another process"
        return self.note if f"(pid {pid})" in self.note else named_process(pid)


def read_lock(path: Path) -> Lock:
    """The lock in a file, without waiting for it and without writing into it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            note = file.read(200).strip()
            try:
                # Shared, and given back at once: two doctors do not see each other.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Lock(path, held=True, note=note)
            fcntl.flock(file, fcntl.LOCK_UN)
            return Lock(path, note=note)
    except OSError:
        return Lock(path)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def port_is_free(port: int) -> bool:
    """Whether an emulator could listen there, tried as the emulator tries it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listener(port: int) -> str:
    """Who listens on the port, in words: `nginx (pid 71)`, `a process of the user anna`, `another program`."""
    for inode, uid in _listening(port):
        if pid := next(having_open(f"socket:[{inode}]"), None):
            return named_process(pid)
        with contextlib.suppress(KeyError):
            return f"a process of the user {pwd.getpwuid(uid).pw_name}"
    return "another program"


def named_process(pid: int) -> str:
    """For example `nginx (pid 71)`."""
    try:
        return f"{(_PROC / str(pid) / 'comm').read_text().strip()} (pid {pid})"
    except OSError:
        return f"pid {pid}"


def having_open(target: str) -> Iterator[int]:
    """Processes of which one may see that they have a file or socket open; none where there is no /proc."""
    for link in _PROC.glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(link) == target:
                yield int(link.parts[2])


def _listening(port: int) -> Iterator[tuple[str, int]]:
    """Inode and user id of the sockets that listen on the port at 127.0.0.1 or at every address."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9], int(fields[7])
