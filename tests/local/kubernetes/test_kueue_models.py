"""Kueue's kinds are refused where its definitions, or its webhooks, would refuse them."""

import copy
import re

import pytest

from stackyard.errors import InvalidInput
from stackyard.local.kubernetes.schemas import validate

API = "kueue.x-k8s.io/v1beta2"
FLAVOR = {
    "apiVersion": API,
    "kind": "ResourceFlavor",
    "metadata": {"name": "gpu"},
    "spec": {
        "nodeLabels": {"karpenter.sh/nodepool": "gpu"},
        "nodeTaints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}],
    },
}
QUEUE = {
    "apiVersion": API,
    "kind": "ClusterQueue",
    "metadata": {"name": "flights"},
    "spec": {
        "cohortName": "teams",
        "namespaceSelector": {
            "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["pipelines"]}]
        },
        "queueingStrategy": "BestEffortFIFO",
        "preemption": {"withinClusterQueue": "Never", "reclaimWithinCohort": "Never"},
        "resourceGroups": [
            {
                "coveredResources": ["cpu", "memory"],
                "flavors": [
                    {
                        "name": "any",
                        "resources": [
                            {"name": "cpu", "nominalQuota": "8", "borrowingLimit": "0"},
                            {"name": "memory", "nominalQuota": "32Gi"},
                        ],
                    }
                ],
            },
            {
                "coveredResources": ["nvidia.com/gpu"],
                "flavors": [{"name": "gpu", "resources": [{"name": "nvidia.com/gpu", "nominalQuota": "1"}]}],
            },
        ],
    },
}
LOCAL = {
    "apiVersion": API,
    "kind": "LocalQueue",
    "metadata": {"name": "flights", "namespace": "pipelines"},
    "spec": {"clusterQueue": "flights"},
}


def put(obj, path, value):
    obj = copy.deepcopy(obj)
    *parts, last = [int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", path)]
    node = obj
    for part in parts:
        node = node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return obj


@pytest.mark.parametrize("obj", [FLAVOR, QUEUE, LOCAL], ids=lambda obj: obj["kind"])
def test_what_kueue_accepts_passes(obj):
    assert validate(obj, "1.35").version == "1.35"


GROUP = "spec.resourceGroups"


@pytest.mark.parametrize(
    ("obj", "path", "value", "sentence"),
    [
        (FLAVOR, "spec.nodeLabel", {}, "no field 'nodeLabel': did you mean 'nodeLabels'"),
        (FLAVOR, "spec.nodeTaints[0].effect", "NoSchedul", "'NoSchedule', 'PreferNoSchedule' or 'NoExecute'"),
        (FLAVOR, "spec.nodeLabels", {f"a{n}": "b" for n in range(9)}, "at most 8 items"),
        (FLAVOR, "metadata.namespace", "pipelines", "lives in no namespace"),
        (QUEUE, "metadata.namespace", "pipelines", "lives in no namespace"),
        (QUEUE, "spec.cohort", "teams", "no field 'cohort': did you mean 'cohortName'"),
        (QUEUE, "spec.namespaceSelector", None, "namespaceSelector is missing"),
        (QUEUE, "spec.queueingStrategy", "FIFO", "'StrictFIFO' or 'BestEffortFIFO'"),
        (QUEUE, "spec.preemption.withinClusterQueue", "Any", "'Never', 'LowerPriority' or"),
        (QUEUE, "spec.preemption.borrowWithinCohort", {"policy": "LowerPriority"}, "exclude each other"),
        (QUEUE, "spec.cohortName", None, "borrowingLimit must not be given without cohortName"),
        (QUEUE, f"{GROUP}[0].coveredResources", ["memory", "cpu"], "has quotas for \\['cpu', 'memory'\\], not for"),
        (
            QUEUE,
            f"{GROUP}[0].flavors[0].resources[0].nominalQuota",
            8,
            "nominalQuota is 8: input should be a valid string",
        ),
        (QUEUE, f"{GROUP}[0].flavors[0].resources[0].nominalQuota", "8 CPUs", 'nominalQuota is "8 CPUs"'),
        (QUEUE, f"{GROUP}[0].flavors[0].resources[0].nominalQuota", "-1", "must not be negative"),
        (QUEUE, f"{GROUP}[1].flavors[0].name", "any", "the flavor any stands twice"),
        (QUEUE, f"{GROUP}[1].flavors", [], "at least 1 item"),
        (QUEUE, "spec.namespaceSelector.matchExpressions[0].values", [], "needs values with In"),
        (LOCAL, "spec.clusterQueue", None, "clusterQueue is missing: Kueue needs it"),
        (LOCAL, "spec.clusterQueue", "Flights", 'clusterQueue is "Flights"'),
        (LOCAL, "kind", "Workload", "kind Workload of kueue.x-k8s.io/v1beta2 has no model here"),
        (LOCAL, "stray", {}, "stray"),
    ],
)
def test_what_kueue_refuses_is_refused(obj, path, value, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        validate(put(obj, path, value), "1.35")
