"""What is promised to a server is still free when it listens, however much later that is."""

import errno
import socket

import pytest

from tests.ports import HOST, free_port


def test_a_free_port_is_kept_from_others_and_open_to_a_server():
    port = free_port()
    # A socket that shares nothing meets what the system's own choice of a port meets.
    with socket.socket() as other, pytest.raises(OSError) as refused:
        other.bind((HOST, port))
    assert refused.value.errno == errno.EADDRINUSE
    for host in (HOST, ""):
        socket.create_server((host, port)).close()
