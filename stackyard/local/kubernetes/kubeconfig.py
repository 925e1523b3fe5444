"""A kubeconfig that leads to a server on this machine, and to nothing else.

The format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import ipaddress
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stackyard.errors import InvalidInput

WAY_OUT = (
    "Name a file whose server listens on this machine, for example what `kind get kubeconfig > kind.yaml` writes: "
    "--kubeconfig kind.yaml"
)
# Names and wildcards that tools write for this machine.
THIS_MACHINE = ("localhost", "0.0.0.0", "::")
# What a cluster's or a user's entry may not say, with the reason.
_REFUSED_OF_CLUSTER = {
    "proxy-url": "requests would go wherever that proxy sends them",
    "tls-server-name": "a server on this machine that has another one's certificate is a tunnel to it",
}
_REFUSED_OF_USER = {
    "exec": "it runs a program that fetches credentials, as those of real clusters do",
    "auth-provider": "it runs a plugin that fetches credentials, as those of real clusters do",
    "username": "no API server has taken passwords since Kubernetes 1.19",
    "as": "objects are applied as the user of the file, not as somebody else",
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """How to reach one API server on loopback, as the current context of a kubeconfig says."""

    path: Path
    """The kubeconfig, absolute."""
    server: str
    """Such as https://127.0.0.1:6443."""
    token: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """None for a server that speaks plain HTTP."""


def read_kubeconfig(path: Path) -> Access:
    """The server and the credentials of the file's current context.

    Raises InvalidInput for a file that cannot be read, for a server that is not at a loopback address, and for ways to
    log in that reach beyond this machine (exec plugins, proxies, tunnels).
    """
    path = path.absolute()
    document = _document(path)
    context = _named(path, document, "context", str(document.get("current-context") or ""))
    cluster = _named(path, document, "cluster", str(context.get("cluster", "")))
    user = _named(path, document, "user", str(context.get("user", ""))) if context.get("user") else {}
    _refuse(path, cluster, _REFUSED_OF_CLUSTER)
    _refuse(path, user, _REFUSED_OF_USER)
    server = str(cluster.get("server", "")).rstrip("/")
    _require_loopback(path, server)
    tls = _tls(path, cluster, user) if urlsplit(server).scheme == "https" else None
    return Access(path=path, server=server, token=_token(path, user), tls=tls)


def _document(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput(f"the kubeconfig {path} cannot be read ({reason}). {WAY_OUT}") from None
    except yaml.YAMLError as error:
        raise InvalidInput(f"the kubeconfig {path} is no YAML: {_first_line(error)}. {WAY_OUT}") from None
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise InvalidInput(f"{path} is no kubeconfig: it is not a mapping of kind Config. {WAY_OUT}")
    return document


def _named(path: Path, document: Mapping[str, Any], what: str, name: str) -> dict[str, Any]:
    """The entry of the list `contexts`, `clusters` or `users` with that name."""
    entries = [entry for entry in document.get(f"{what}s") or () if isinstance(entry, dict)]
    found = next((entry.get(what) for entry in entries if name and entry.get("name") == name), None)
    if not isinstance(found, dict):
        known = ", ".join(str(entry.get("name")) for entry in entries) or "none"
        origin = "current-context names" if what == "context" else "the current context names"
        raise InvalidInput(
            f"{path}: {origin} the {what} {name!r}, and the file has none of that name (it has: {known}). "
            "`kubectl config use-context NAME --kubeconfig FILE` chooses one"
        )
    return found


def _refuse(path: Path, entry: Mapping[str, Any], refused: Mapping[str, str]) -> None:
    for name, reason in refused.items():
        if entry.get(name):
            # The values are left out: they may be credentials.
            raise InvalidInput(
                f"{path} uses {name}, which `local up` does not: {reason}. A token or a client certificate is what a "
                f"cluster on this machine needs. {WAY_OUT}"
            )


def _require_loopback(path: Path, server: str) -> None:
    try:
        parts = urlsplit(server)
        host, port = parts.hostname or "", parts.port
        # A name, `localhost` too, may be sent elsewhere by /etc/hosts: only addresses count.
        if parts.scheme in ("http", "https") and _is_loopback(host):
            return
        here = f"Write the address: {parts.scheme}://127.0.0.1:{port or 443}" if host in THIS_MACHINE else ""
    except ValueError:
        here = ""
    raise InvalidInput(
        f"the server {server!r} in {path} is not an https address on this machine, such as https://127.0.0.1:6443: "
        "objects of a local environment go to a cluster on this machine only, so that nothing reaches a real one. "
        f"Nothing was written. {here or WAY_OUT}"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(path: Path, user: Mapping[str, Any]) -> str:
    if user.get("token"):
        return str(user["token"])
    if user.get("tokenFile"):
        return _file(path, user, "tokenFile").decode().strip()
    return ""


def _tls(path: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _content(path, cluster, "certificate-authority")
    certificate, key = _content(path, user, "client-certificate"), _content(path, user, "client-key")
    try:
        tls = ssl.create_default_context(cadata=authority.decode() or None)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        if certificate or key:
            # The ssl module takes certificates of one's own from files only.
            with tempfile.NamedTemporaryFile(prefix="stackyard-") as file:
                file.write(certificate + b"\n" + key)
                file.flush()
                tls.load_cert_chain(file.name)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidInput(
            f"{path}: its certificates cannot be used ({_first_line(error)}): certificate-authority-data, "
            "client-certificate-data and client-key-data are PEM in base64, and the last two go together"
        ) from None
    return tls


def _content(path: Path, entry: Mapping[str, Any], name: str) -> bytes:
    """What `name`-data holds, or the file that `name` names; empty without either."""
    if data := entry.get(f"{name}-data"):
        try:
            return base64.b64decode(str(data), validate=True)
        except ValueError:
            raise InvalidInput(f"{path}: {name}-data is not base64. Write the file anew. {WAY_OUT}") from None
    return _file(path, entry, name) if entry.get(name) else b""


def _file(path: Path, entry: Mapping[str, Any], name: str) -> bytes:
    # Relative to the kubeconfig, as kubectl takes them.
    file = path.parent / str(entry[name])
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: the file {file} that {name} names cannot be read ({error.strerror})") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
