"""Objects on an API server: applied, compared, deleted; errors with the server's words; nobody else's touched."""

import base64
import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stackyard.errors import InvalidInput, UserError
from stackyard.local.kubernetes.api_server import NoAnswer, Refusal
from stackyard.local.kubernetes.cluster import OWNER_ANNOTATION, Cluster, as_live, connect
from stackyard.local.kubernetes.provider import RELEASE_TYPE, KubernetesProvider
from stackyard.local.kubernetes.store import Key, Store
from tests.local.fake_api_server import ARGO, FakeApiServer, serving

NAMESPACE = "kubernetes:core/v1:Namespace"
SETTINGS = "kubernetes:core/v1:ConfigMap"
SERVICE = "kubernetes:core/v1:Service"
TEMPLATE = "kubernetes:argoproj.io/v1alpha1:WorkflowTemplate"
SPACE_PATH = "/api/v1/namespaces/pipelines"
SETTINGS_PATH = f"{SPACE_PATH}/configmaps/settings"
SETTINGS_KEY = Key("v1", "ConfigMap", "pipelines", "settings")
SPACE = {"metadata": {"name": "pipelines"}}


@pytest.fixture
def fake() -> Iterator[FakeApiServer]:
    with serving() as fake:
        yield fake


@pytest.fixture
def cluster(fake, tmp_path) -> Cluster:
    return connect(fake.kubeconfig(tmp_path / "kube.yaml"), "local-mine", delete_timeout_s=0.5)


@pytest.fixture
def provider(cluster, tmp_path) -> KubernetesProvider:
    provider = KubernetesProvider(store=Store(tmp_path / "o.json"), kubernetes_version="1.35", cluster=cluster)
    provider.create(NAMESPACE, "urn:ns", SPACE)
    return provider


def settings(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "settings", "namespace": "pipelines"}, "data": data}


def put(provider: KubernetesProvider, **data: str):
    return provider.create(SETTINGS, "urn:settings", settings(**data))


def template() -> dict[str, Any]:
    spec = {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "python"}}]}
    return {"metadata": {"name": "training", "namespace": "pipelines"}, "spec": spec}


def test_an_object_is_applied_to_the_server_and_kept_in_the_store(provider, fake):
    applied = put(provider, version="1")
    assert not applied.recorded
    assert fake.objects[SETTINGS_PATH]["data"] == {"version": "1"}
    stored = provider.store.get("v1", "ConfigMap", "settings", "pipelines")
    assert stored["data"] == {"version": "1"}
    assert OWNER_ANNOTATION not in stored["metadata"].get("annotations", {}), "the store holds what the program said"
    assert fake.objects[SETTINGS_PATH]["metadata"]["annotations"] == {OWNER_ANNOTATION: "local-mine"}


def test_a_change_takes_away_what_the_program_no_longer_says_and_nothing_of_others(provider, fake):
    applied = put(provider, version="1", colour="red")
    fake.objects[SETTINGS_PATH]["data"]["theirs"] = "kept"
    provider.update(SETTINGS, "urn:settings", applied.id, settings(), applied.outputs, settings(version="2"))
    assert fake.objects[SETTINGS_PATH]["data"] == {"version": "2", "theirs": "kept"}


def test_a_kind_that_the_server_does_not_serve_is_recorded(provider, fake):
    assert provider.create(TEMPLATE, "urn:wt", template()).recorded
    assert provider.store.get("argoproj.io/v1alpha1", "WorkflowTemplate", "training", "pipelines")
    assert fake.mutations == [f"PATCH {SPACE_PATH}"]


def test_a_release_is_recorded_beside_a_cluster_too(provider, fake):
    inputs = {"chart": "argo-workflows", "version": "1.0.18", "name": "argo", "namespace": "pipelines"}
    repository = {"repositoryOpts": {"repo": "https://charts.example.com"}}
    assert provider.create(RELEASE_TYPE, "urn:r", inputs | repository).recorded
    assert fake.mutations == [f"PATCH {SPACE_PATH}"]


def test_what_is_deleted_is_gone_from_the_server_and_from_the_store(provider, fake):
    put(provider, version="1")
    provider.delete(SETTINGS, "urn:settings", "pipelines/settings", settings(), {})
    provider.delete(NAMESPACE, "urn:ns", "pipelines", SPACE, {})
    assert fake.paths() == set()
    assert provider.store.list() == [] and provider.store.applied() == {}


def test_a_namespace_that_holds_objects_is_not_deleted_from_the_server(provider, fake):
    put(provider, version="1")
    with pytest.raises(UserError, match="still holds 1 object"):
        provider.delete(NAMESPACE, "urn:ns", "pipelines", SPACE, {})
    assert SPACE_PATH in fake.objects


def test_deleting_what_somebody_has_deleted_before_is_no_error(provider, fake):
    put(provider, version="1")
    del fake.objects[SETTINGS_PATH]
    provider.delete(SETTINGS, "urn:settings", "pipelines/settings", settings(), {})
    assert provider.store.owner(SETTINGS_KEY) is None


def test_a_finalizer_that_nobody_takes_away_is_named_after_a_while(provider, fake):
    put(provider, version="1")
    fake.objects[SETTINGS_PATH]["metadata"]["finalizers"] = ["example.com/never"]
    with pytest.raises(UserError, match=r"ConfigMap pipelines/settings is still .* the finalizers example\.com/never"):
        provider.delete(SETTINGS, "urn:settings", "pipelines/settings", settings(), {})
    assert provider.store.owner(SETTINGS_KEY), "the store knows that it is still there"


@pytest.mark.parametrize(("maker", "who"), [("", "somebody else"), ("dev-other", "the environment dev-other")])
def test_an_object_that_was_there_before_is_left_alone(provider, fake, maker, who):
    annotations = {"annotations": {OWNER_ANNOTATION: maker}} if maker else {}
    theirs = {"kind": "ConfigMap", "metadata": {"name": "settings", "uid": "theirs", **annotations}}
    fake.objects[SETTINGS_PATH] = theirs
    with pytest.raises(UserError, match=f"ConfigMap pipelines/settings exists already on {fake.url}, and {who} made"):
        put(provider, version="1")
    assert provider.store.owner(SETTINGS_KEY) is None
    assert fake.objects[SETTINGS_PATH] == theirs


def test_an_object_that_somebody_put_in_the_place_of_ours_is_not_deleted(provider, fake):
    put(provider, version="1")
    del fake.objects[SETTINGS_PATH]["metadata"]["annotations"]
    provider.delete(SETTINGS, "urn:settings", "pipelines/settings", settings(), {})
    assert SETTINGS_PATH in fake.objects


def test_what_a_killed_run_has_applied_is_taken_up(provider, cluster, fake):
    obj = {"apiVersion": "v1", "kind": "ConfigMap", **settings(version="1")}
    cluster.apply(obj, ours=False)
    put(provider, version="2")
    assert fake.objects[SETTINGS_PATH]["data"] == {"version": "2"}


def test_what_is_being_deleted_is_not_applied_to(provider, cluster, fake):
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", **settings()}, ours=False)
    fake.objects[SETTINGS_PATH]["metadata"]["deletionTimestamp"] = "2026-11-24T15:00:00Z"
    with pytest.raises(UserError, match="ConfigMap pipelines/settings is being deleted"):
        put(provider, version="1")


def test_a_refusal_names_the_object_and_gives_the_servers_words(provider, fake):
    fake.refused[SETTINGS_PATH] = (422, "Invalid", 'ConfigMap "settings" is invalid: data: Forbidden: immutable')
    with pytest.raises(Refusal) as refused:
        put(provider, version="1")
    assert str(refused.value) == (
        f"ConfigMap pipelines/settings: {fake.url} refused it "
        '(422 Invalid: ConfigMap "settings" is invalid: data: Forbidden: immutable)'
    )
    assert not refused.value.unknown, "the server said that nothing happened"
    assert provider.store.owner(SETTINGS_KEY) is None


def test_a_change_without_an_answer_may_have_happened(provider, fake):
    fake.cut.add(SETTINGS_PATH)
    with pytest.raises(NoAnswer, match=r"ConfigMap pipelines/settings: .* gave no answer") as lost:
        put(provider, version="1")
    assert lost.value.unknown
    assert put(provider, version="1").id == "pipelines/settings", "made again, it is the same"
    assert fake.objects[SETTINGS_PATH]["data"] == {"version": "1"}


def test_a_cluster_that_does_not_run_is_told(tmp_path):
    with serving() as fake:
        path = fake.kubeconfig(tmp_path / "kube.yaml")
    with pytest.raises(NoAnswer, match=f"{fake.url} does not answer") as refused:
        connect(path, "local-mine")
    assert not refused.value.unknown


@pytest.mark.parametrize("version", ["v1.35.4-eks-113cf36", "v1.34.1-gke.1829001"])
def test_a_managed_cluster_behind_a_tunnel_is_refused(fake, tmp_path, version):
    fake.version = version
    with pytest.raises(InvalidInput, match=f"{version}.*behind a tunnel"):
        connect(fake.kubeconfig(tmp_path / "kube.yaml"), "local-mine")
    assert [asked.path for asked in fake.asked] == ["/version"], "nothing but its version was asked"


def test_wrong_credentials_are_refused_in_the_servers_words(fake, tmp_path):
    with pytest.raises(Refusal, match="401 Unauthorized"):
        connect(fake.kubeconfig(tmp_path / "kube.yaml", user={"token": "wrong"}), "local-mine")


def test_what_is_as_it_was_applied_shows_no_difference_and_is_not_changed_by_looking(provider, fake):
    spec = {"ports": [{"port": 80}], "selector": {"app": "x"}}
    inputs = {"metadata": {"name": "web", "namespace": "pipelines", "labels": {"a": "b"}}, "spec": spec}
    provider.create(SERVICE, "urn:web", inputs)
    fake.forget_requests()
    live = provider.live(SERVICE, "urn:web", "pipelines/web", inputs, {})
    assert live and live.inputs == inputs, "what the server fills in is no difference"
    assert fake.mutations == []


def test_a_change_on_the_server_shows_as_the_value_that_is_there_now(provider, fake):
    put(provider, version="1", colour="red")
    fake.objects[SETTINGS_PATH]["data"] = {"version": "9", "theirs": "x"}
    live = provider.live(SETTINGS, "urn:settings", "pipelines/settings", settings(version="1", colour="red"), {})
    assert live and live.inputs["data"] == {"version": "9"}, "changed, removed; what others added is not ours"


def test_an_object_that_is_gone_from_the_server_is_gone(provider, fake):
    put(provider, version="1")
    del fake.objects[SETTINGS_PATH]
    assert provider.live(SETTINGS, "urn:settings", "pipelines/settings", settings(version="1"), {}) is None


@pytest.mark.parametrize(
    ("given", "wanted", "live", "now"),
    [
        ({"cpu": "1000m"}, {"cpu": "1"}, {"cpu": "1"}, {"cpu": "1000m"}),
        ({"cpu": "1000m"}, {"cpu": "1"}, {"cpu": "2"}, {"cpu": "2"}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1}),
        ({"a": [{"n": 1}]}, {"a": [{"n": 1, "d": 0}]}, {"a": [{"n": 2, "d": 0}]}, {"a": [{"n": 2}]}),
        ({"a": [1]}, {"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}),
        ({"stringData": "x", "a": 1}, {"data": "y", "a": 1}, {"data": "y", "a": 2}, {"stringData": "x", "a": 2}),
    ],
)
def test_only_given_fields_are_compared_in_the_servers_own_writing(given, wanted, live, now):
    assert as_live(given, wanted, live) == now


def test_an_object_is_misplaced_until_it_is_where_it_belongs(provider, fake, tmp_path):
    put(provider, version="1")
    provider.create(TEMPLATE, "urn:wt", template())

    def misplaced(provider: KubernetesProvider) -> list[bool]:
        return [
            provider.misplaced(SETTINGS, settings(), recorded=False),
            provider.misplaced(TEMPLATE, template(), recorded=True),
        ]

    again = connect(tmp_path / "kube.yaml", "local-mine")
    here = KubernetesProvider(store=provider.store, kubernetes_version="1.35", cluster=again)
    assert misplaced(here) == [False, False]
    fake.kinds |= ARGO
    again = connect(tmp_path / "kube.yaml", "local-mine")
    here = KubernetesProvider(store=provider.store, kubernetes_version="1.35", cluster=again)
    assert misplaced(here) == [False, True], "the server serves the kind by now"
    fake.begin()
    anew = connect(tmp_path / "kube.yaml", "local-mine")
    there = KubernetesProvider(store=provider.store, kubernetes_version="1.35", cluster=anew)
    assert misplaced(there) == [True, True], "a new cluster holds nothing yet"
    alone = KubernetesProvider(store=provider.store, kubernetes_version="1.35")
    assert misplaced(alone) == [False, True], "without a cluster nothing is recorded"


@dataclass(frozen=True)
class Certificates:
    """An authority, and what it signed for a server and a client, as PEM."""

    authority: bytes
    server: bytes
    client: bytes
    client_key: bytes


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    begin = datetime.datetime(2020, 1, 1)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def signed(subject: str, key: Any, signer: Any, *, authority: bool = False) -> bytes:
        builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("authority"))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=36500))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def pem(key: Any) -> bytes:
        form = serialization.PrivateFormat.TraditionalOpenSSL
        return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    root, server, client = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    return Certificates(
        authority=signed("authority", root, root, authority=True),
        server=signed("server", server, root) + pem(server),
        client=signed("client", client, root),
        client_key=pem(client),
    )


@pytest.fixture
def secured(certificates, tmp_path) -> Iterator[FakeApiServer]:
    (tmp_path / "ca.pem").write_bytes(certificates.authority)
    (tmp_path / "server.pem").write_bytes(certificates.server)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    tls.load_verify_locations(tmp_path / "ca.pem")
    tls.verify_mode = ssl.CERT_OPTIONAL
    with serving(tls) as fake:
        yield fake


def data(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def test_a_client_certificate_in_the_file_opens_the_server(secured, certificates, tmp_path):
    user = {"client-certificate-data": data(certificates.client), "client-key-data": data(certificates.client_key)}
    authority = {"certificate-authority-data": data(certificates.authority)}
    path = secured.kubeconfig(tmp_path / "kube.yaml", cluster=authority, user=user)
    assert connect(path, "local-mine").version == "v1.35.4"


def test_a_client_certificate_beside_the_file_opens_the_server(secured, certificates, tmp_path):
    (tmp_path / "client.pem").write_bytes(certificates.client)
    (tmp_path / "key.pem").write_bytes(certificates.client_key)
    user = {"client-certificate": "client.pem", "client-key": str(tmp_path / "key.pem")}
    path = secured.kubeconfig(tmp_path / "kube.yaml", cluster={"certificate-authority": "ca.pem"}, user=user)
    assert connect(path, "local-mine").version == "v1.35.4"


def test_a_server_whose_certificate_nobody_vouches_for_is_not_spoken_to(secured, tmp_path):
    with pytest.raises(NoAnswer, match="certificate verify failed"):
        connect(secured.kubeconfig(tmp_path / "kube.yaml"), "local-mine")
    assert secured.asked == []


def test_a_file_that_says_so_gives_up_the_check_of_the_server(secured: FakeApiServer, tmp_path: Path):
    path = secured.kubeconfig(tmp_path / "kube.yaml", cluster={"insecure-skip-tls-verify": True})
    assert connect(path, "local-mine").version == "v1.35.4"
