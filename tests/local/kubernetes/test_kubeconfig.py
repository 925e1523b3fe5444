"""Which kubeconfigs lead to a cluster on this machine, and what is said about all others."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackyard.errors import InvalidInput
from stackyard.local.kubernetes.kubeconfig import read_kubeconfig

PEM = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n").decode()


def written(folder: Path, *, server: str = "https://127.0.0.1:6443", **changes: Any) -> Path:
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **changes.pop("cluster", {})}}],
        "users": [{"name": "u", "user": changes.pop("user", {"token": "secret-token"})}],
        **changes,
    }
    path = folder / "kube.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("server", ["https://127.0.0.1:6443", "https://127.8.9.1:1", "https://[::1]:6443/prefix"])
def test_a_server_at_a_loopback_address_is_taken(tmp_path, server):
    access = read_kubeconfig(written(tmp_path, server=server))
    assert (access.server, access.token, bool(access.tls)) == (server, "secret-token", True)
    assert "secret-token" not in repr(access), "credentials never reach a log"


@pytest.mark.parametrize(
    "server",
    [
        "https://10.0.0.1:6443",
        "https://cluster.example.com",
        "https://127.0.0.1.example.com:6443",
        "https://127.0.0.1@example.com",
        "https://localhost:6443",
        "https://0.0.0.0:6443",
        "ftp://127.0.0.1:6443",
        "127.0.0.1:6443",
        "https://[::1",
        "https://127.0.0.1:port",
        "",
    ],
)
def test_any_other_server_is_refused_before_anything_is_asked(tmp_path, server):
    with pytest.raises(InvalidInput, match="Nothing was written") as refused:
        read_kubeconfig(written(tmp_path, server=server))
    assert repr(server) in str(refused.value), "the value"
    assert "https://127.0.0.1:6443" in str(refused.value), "a valid example"
    assert refused.value.exit_status == 2


def test_names_and_wildcards_for_this_machine_are_told_the_address_to_write(tmp_path):
    for server in ("https://localhost:16443", "https://0.0.0.0:16443"):
        with pytest.raises(InvalidInput, match=r"Write the address: https://127\.0\.0\.1:16443"):
            read_kubeconfig(written(tmp_path, server=server))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"user": {"exec": {"command": "aws"}}}, "uses exec"),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "uses auth-provider"),
        ({"user": {"username": "me", "password": "of-mine"}}, "uses username"),
        ({"user": {"token": "x", "as": "root"}}, "uses as"),
        ({"cluster": {"proxy-url": "http://proxy:1"}}, "uses proxy-url"),
        ({"cluster": {"tls-server-name": "x.eks.amazonaws.com"}}, "uses tls-server-name"),
        ({"user": {"tokenFile": "gone"}}, "gone that tokenFile names cannot be read"),
        ({"user": {"client-certificate": "gone.pem"}}, "gone.pem that client-certificate names cannot be read"),
        ({"cluster": {"certificate-authority-data": "%%%"}}, "certificate-authority-data is not base64"),
        ({"cluster": {"certificate-authority-data": PEM}}, "its certificates cannot be used"),
        ({"user": {"client-certificate-data": PEM}}, "its certificates cannot be used"),
        ({"current-context": ""}, "current-context names the context ''"),
        ({"current-context": "there"}, r"the context 'there', and the file has none of that name \(it has: here\)"),
        ({"clusters": []}, r"names the cluster 'c', and the file has none of that name \(it has: none\)"),
        ({"users": [{"name": "v"}]}, r"names the user 'u', and the file has none of that name \(it has: v\)"),
        ({"kind": "Pod"}, "is no kubeconfig"),
    ],
)
def test_what_a_cluster_on_this_machine_does_not_need_is_refused_with_its_reason(tmp_path, changes, sentence):
    with pytest.raises(InvalidInput, match=sentence) as refused:
        read_kubeconfig(written(tmp_path, **changes))
    assert "of-mine" not in str(refused.value), "a password is not repeated"


@pytest.mark.parametrize(
    ("text", "sentence"), [(b"a: [", "is no YAML"), (b"[]", "is no kubeconfig"), (b"\xff\xfe\xff", "it is no text")]
)
def test_a_file_that_is_no_kubeconfig_is_told(tmp_path, text, sentence):
    (tmp_path / "kube.yaml").write_bytes(text)
    with pytest.raises(InvalidInput, match=sentence):
        read_kubeconfig(tmp_path / "kube.yaml")


def test_a_file_that_is_not_there_is_told_with_an_example(tmp_path):
    with pytest.raises(InvalidInput, match=r"gone\.yaml cannot be read \(No such file.*--kubeconfig kind\.yaml"):
        read_kubeconfig(tmp_path / "gone.yaml")


def test_files_are_looked_for_beside_the_kubeconfig(tmp_path):
    (tmp_path / "token").write_text("from-a-file\n", encoding="utf-8")
    assert read_kubeconfig(written(tmp_path, user={"tokenFile": "token"})).token == "from-a-file"


def test_a_context_without_a_user_needs_no_credentials(tmp_path):
    contexts = [{"name": "here", "context": {"cluster": "c"}}]
    access = read_kubeconfig(written(tmp_path, server="http://127.0.0.1:8001", contexts=contexts, users=[]))
    assert access.token == "" and access.tls is None
