"""Agents of GPU nodes: on GPU nodes alone, an entry for each way to share, in a namespace that says why it is open."""

import json

import pytest

from components.chart_pin import ChartPin
from components.gpu_runtime import GpuRuntime, GpuRuntimeArgs
from components.gpu_sharing import NOT_SHARED, GpuSharing, GpuSharingMode
from components.namespaces import EXCEPTION_ANNOTATION
from components.node_pool_spec import gpu_labels, gpu_taints
from stacks.versions import CHARTS
from stackyard.local.kubernetes.releases import validate_release

PLUGIN = ChartPin(chart="nvidia-device-plugin", version="0.20.0", repository="https://charts.example/plugin")
EXPORTER = ChartPin(chart="dcgm-exporter", version="4.8.2", repository="https://charts.example/dcgm")
EFA = ChartPin(chart="aws-efa-k8s-device-plugin", version="v0.5.30", repository="https://charts.example/eks")
RELEASE = "kubernetes:helm.sh/v3:Release"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
SLICED = GpuSharing(mode=GpuSharingMode.TIME_SLICING, slices=4)
CUT = GpuSharing(mode=GpuSharingMode.MIG, mig_profile="1g.10gb")
GPU_NODES = {"nvidia.com/gpu.present": "true"}


def runtime(**args):
    defaults = {"plugin_chart": PLUGIN, "exporter_chart": EXPORTER, "max_nodes": 8, "after": ()}
    return GpuRuntime("gpus", GpuRuntimeArgs(**(defaults | args)))


def inputs(deployment, noun):
    (found,) = [r.inputs for r in deployment.of_type(RELEASE) if r.name == f"gpus-{noun}"]
    return found


def values(deployment, noun):
    return inputs(deployment, noun)["values"]


def test_releases_are_pinned_named_and_all_or_nothing(capture):
    releases = {r.inputs["name"]: r.inputs for r in capture(runtime, efa_chart=EFA).of_type(RELEASE)}
    assert set(releases) == {"nvidia-device-plugin", "dcgm-exporter", "aws-efa-k8s-device-plugin"}
    for name, release in releases.items():
        assert (release["namespace"], release["atomic"], release["cleanupOnFail"]) == ("gpu-runtime", True, True)
        assert release["version"] == CHARTS[name].version
        assert validate_release(release) == "", "the chart's values were read at this version"


def test_the_plugin_has_an_entry_for_each_way_to_share_and_a_default(capture):
    config = values(capture(runtime, sharing=(CUT, SLICED, SLICED)), "plugin")["config"]
    assert config["default"] == "default"
    assert set(config["map"]) == {"default", "mig-1g.10gb", "timeslice-4"}


def test_a_pool_that_shares_nothing_needs_no_other_entry(capture):
    config = values(capture(runtime), "plugin")["config"]
    assert {name: json.loads(text) for name, text in config["map"].items()} == {
        "default": {"version": "v1", "flags": {"failOnInitError": True, "migStrategy": "none"}}
    }


def test_a_share_is_another_resource_than_a_whole_gpu(capture):
    entries = values(capture(runtime, sharing=(CUT, SLICED)), "plugin")["config"]["map"]
    slicing = json.loads(entries["timeslice-4"])["sharing"]["timeSlicing"]
    assert slicing == {
        "renameByDefault": True,
        "failRequestsGreaterThanOne": True,
        "resources": [{"name": "nvidia.com/gpu", "replicas": 4}],
    }
    assert SLICED.resource_name == f"{slicing['resources'][0]['name']}.shared"
    partitions = json.loads(entries["mig-1g.10gb"])
    assert partitions["flags"]["migStrategy"] == "mixed", "single would call a partition nvidia.com/gpu"
    assert "sharing" not in partitions


@pytest.mark.parametrize("key", ["migStrategy", "failOnInitError", "deviceListStrategy", "deviceIDStrategy"])
def test_nothing_stands_above_the_entries(capture, key):
    assert key not in values(capture(runtime, sharing=(CUT,)), "plugin"), "it would win over every entry"


@pytest.mark.parametrize("sharing", [NOT_SHARED, SLICED, CUT])
def test_the_label_of_a_pools_nodes_names_an_entry(capture, sharing):
    entries = values(capture(runtime, sharing=(sharing,)), "plugin")["config"]["map"]
    assert gpu_labels(sharing)["nvidia.com/device-plugin.config"] in entries


@pytest.mark.parametrize("noun", ["plugin", "exporter", "efa"])
def test_agents_run_on_gpu_nodes_alone_and_tolerate_their_taint(capture, noun):
    found = values(capture(runtime, efa_chart=EFA), noun)
    assert found["nodeSelector"].items() <= gpu_labels(NOT_SHARED).items()
    (taint,) = gpu_taints()
    assert found["tolerations"] == [{"key": taint["key"], "operator": "Exists", "effect": taint["effect"]}]


def test_gpus_are_discovered_on_gpu_nodes_alone(capture):
    found = values(capture(runtime), "plugin")
    assert found["gfd"] == {"enabled": True}
    worker = found["nfd"]["worker"]
    assert worker["nodeSelector"] == GPU_NODES
    assert worker["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    for part in ("master", "gc"):
        assert found["nfd"][part]["nodeSelector"] == {"stackyard/pool": "system"}, "no node is started for it"
        assert found["nfd"][part]["tolerations"] == [{"key": "CriticalAddonsOnly", "operator": "Exists"}]


def test_a_destroy_waits_for_no_job_that_would_need_a_node(capture):
    assert values(capture(runtime), "plugin")["nfd"]["postDeleteCleanup"] is False


def test_the_exporter_asks_the_engine_of_the_nodes_own_agent(capture):
    found = values(capture(runtime, host_engine=True), "exporter")
    assert found["extraEnv"] == [
        {"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
        {"name": "DCGM_REMOTE_HOSTENGINE_INFO", "value": "$(NODE_IP):5555"},
    ]
    assert found["nodeSelector"] == {**GPU_NODES, "kubernetes.io/arch": "amd64"}, "the engine runs nowhere else"
    assert found["securityContext"]["capabilities"] == {"add": [], "drop": ["ALL"]}


def test_without_that_agent_the_exporter_has_an_engine_of_its_own(capture):
    found = values(capture(runtime), "exporter")
    assert "extraEnv" not in found and "securityContext" not in found
    assert found["nodeSelector"] == GPU_NODES


def test_figures_belong_to_the_pod_that_uses_the_gpu(capture):
    assert values(capture(runtime), "exporter")["serviceMonitor"]["enabled"] is False, "its definition may be missing"
    monitor = values(capture(runtime, metrics=True), "exporter")["serviceMonitor"]
    assert (monitor["enabled"], monitor["honorLabels"]) == (True, True)


def test_there_is_no_efa_plugin_without_efa(capture):
    assert {r.name for r in capture(runtime).of_type(RELEASE)} == {"gpus-exporter", "gpus-plugin"}


def test_the_namespace_is_open_to_its_own_agents_and_says_why(capture):
    metadata = capture(runtime).only("kubernetes:core/v1:Namespace").inputs["metadata"]
    assert metadata["name"] == "gpu-runtime"
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert "kubelet's socket" in metadata["annotations"][EXCEPTION_ANNOTATION]


def test_nothing_reaches_the_agents_but_monitoring_and_they_reach_the_nodes_engine(capture):
    policies = {r.inputs["metadata"]["name"]: r.inputs["spec"] for r in capture(runtime).of_type(POLICY)}
    assert set(policies) == {"default-deny", "egress", "from-monitoring"}
    (way_in,) = policies["from-monitoring"]["ingress"]
    assert way_in["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert [port["port"] for port in way_in["ports"]] == [9400]
    ports = [[port["port"] for port in rule["ports"]] for rule in policies["egress"]["egress"]]
    assert ports == [[53, 53], [443], [5555]]
    engine = policies["egress"]["egress"][2]["to"]
    assert all(not peer["ipBlock"]["cidr"].startswith("0.") for peer in engine), "private addresses alone"


@pytest.mark.parametrize("nodes", [1, 8, 1000])
def test_the_quota_has_room_for_the_agents_of_every_node(capture, nodes):
    hard = capture(runtime, max_nodes=nodes).only("kubernetes:core/v1:ResourceQuota").inputs["spec"]["hard"]
    assert int(hard["pods"]) >= nodes * 5 + 2
    # Of each node: plugin and discovery with a sidecar of 100m each, the worker's 5m, exporter, EFA plugin.
    assert float(hard["requests.cpu"]) >= nodes * (2 * (0.05 + 0.1) + 0.005 + 0.1 + 0.01) + 0.11
    assert float(hard["requests.memory"].removesuffix("Gi")) >= nodes * 0.6 + 0.2
    assert hard["requests.nvidia.com/gpu"] == "0", "agents look at GPUs and take none"


def test_agents_come_after_what_they_need(capture):
    def with_namespaces():
        import pulumi_kubernetes as k8s

        needed = k8s.core.v1.Namespace("needed", metadata={"name": "needed"})
        return runtime(after=[needed], efa_chart=EFA)

    deployment = capture(with_namespaces)
    (needed,) = [r for r in deployment if r.name == "needed"]
    assert all(needed.urn in r.dependencies for r in deployment.of_type(RELEASE))


def test_outputs_are_registered(capture):
    outputs = capture(runtime).only("stackyard:index:GpuRuntime").outputs
    assert outputs == {"namespace": "gpu-runtime", "releaseNames": ["nvidia-device-plugin", "dcgm-exporter"]}


def test_no_gpu_node_needs_no_runtime(capture):
    with pytest.raises(ValueError, match="0 GPU nodes need no runtime"):
        capture(runtime, max_nodes=0)
