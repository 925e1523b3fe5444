"""Karpenter's kinds are refused where its definitions, or Karpenter itself, would refuse them."""

import copy
import re

import pytest

from stackyard.errors import InvalidInput
from stackyard.local.kubernetes.schemas import validate

NODE_POOL = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "gpu"},
    "spec": {
        "template": {
            "metadata": {"labels": {"stackyard.dev/pool": "gpu"}},
            "spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"},
                "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}],
                "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}],
                "expireAfter": "Never",
                "terminationGracePeriod": "48h",
            },
        },
        "disruption": {
            "consolidationPolicy": "WhenEmpty",
            "consolidateAfter": "10m",
            "budgets": [{"nodes": "0", "reasons": ["Drifted"], "schedule": "0 5 * * *", "duration": "20h"}],
        },
        "limits": {"nodes": "4", "nvidia.com/gpu": "4"},
        "weight": 50,
    },
}
NODE_CLASS = {
    "apiVersion": "karpenter.k8s.aws/v1",
    "kind": "EC2NodeClass",
    "metadata": {"name": "gpu"},
    "spec": {
        "amiSelectorTerms": [{"alias": "al2023@v20260724"}],
        "role": "nodes",
        "subnetSelectorTerms": [{"id": "subnet-1"}],
        "securityGroupSelectorTerms": [{"id": "sg-1"}],
        "capacityReservationSelectorTerms": [{"id": "cr-1"}],
        "placementGroupSelector": {"id": "pg-1"},
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/xvda",
                "ebs": {
                    "encrypted": True,
                    "deleteOnTermination": True,
                    "volumeSize": "100Gi",
                    "volumeType": "gp3",
                    "kmsKeyID": "key",
                },
            }
        ],
        "kubelet": {"maxPods": 110},
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpProtocolIPv6": "disabled",
            "httpPutResponseHopLimit": 1,
            "httpTokens": "required",
        },
        "networkInterfaces": [
            {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface"},
            {"networkCardIndex": 0, "deviceIndex": 1, "interfaceType": "efa-only"},
        ],
        "instanceStorePolicy": "RAID0",
        "tags": {"stackyard:pool": "gpu"},
        "userData": "#!/bin/bash\n",
    },
}
OVERLAY = {
    "apiVersion": "karpenter.sh/v1alpha1",
    "kind": "NodeOverlay",
    "metadata": {"name": "gpu-1"},
    "spec": {
        "requirements": [{"key": "karpenter.sh/nodepool", "operator": "In", "values": ["gpu"]}],
        "capacity": {"nvidia.com/gpu.shared": "4"},
    },
}
REMOVED = object()


def changed(obj, path, value):
    """A copy with one value put in, or taken out, at a path of keys and positions; keys may hold dots."""
    found = copy.deepcopy(obj)
    *outer, last = path
    node = found
    for part in outer:
        node = node[part]
    if value is REMOVED:
        del node[last]
    elif isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value
    return found


@pytest.mark.parametrize("good", [NODE_POOL, NODE_CLASS, OVERLAY], ids=lambda obj: obj["kind"])
def test_what_karpenter_takes_passes(good):
    assert validate(good, "1.35").note == ""


@pytest.mark.parametrize("good", [NODE_POOL, NODE_CLASS, OVERLAY], ids=lambda obj: obj["kind"])
def test_karpenters_objects_live_in_no_namespace(good):
    with pytest.raises(InvalidInput, match="lives in no namespace"):
        validate(changed(good, ["metadata", "namespace"], "default"), "1.35")


POOL_SPEC = ["spec", "template", "spec"]


@pytest.mark.parametrize(
    ("good", "path", "value", "sentence"),
    [
        (NODE_POOL, ["spec", "limit"], {}, "our model of NodePool has no field 'limit': did you mean 'limits'"),
        (NODE_POOL, ["spec", "disruption", "consolidateAfter"], REMOVED, "spec.disruption.consolidateAfter is missing"),
        (NODE_POOL, ["spec", "disruption", "consolidateAfter"], "10 minutes", "consolidateAfter is \"10 minutes\""),
        (NODE_POOL, ["spec", "disruption", "budgets", 0, "duration"], REMOVED, "schedule must be set with duration"),
        (NODE_POOL, ["spec", "disruption", "budgets", 0, "reasons", 0], "Expired", "reasons[0] is \"Expired\""),
        (NODE_POOL, ["spec", "weight"], 101, "spec.weight is 101"),
        (NODE_POOL, ["spec", "weight"], "50", "spec.weight is \"50\""),
        (NODE_POOL, ["spec", "limits", "nodes"], "four", "spec.limits.nodes is \"four\""),
        (NODE_POOL, [*POOL_SPEC, "expireAfter"], "30d", "expireAfter is \"30d\""),
        (NODE_POOL, [*POOL_SPEC, "terminationGracePeriod"], "Never", "terminationGracePeriod is \"Never\""),
        (NODE_POOL, [*POOL_SPEC, "taints", 0, "effect"], "NoRun", "effect is \"NoRun\""),
        (NODE_POOL, [*POOL_SPEC, "requirements", 0, "values"], [], "the operator In needs at least one value"),
        (NODE_POOL, [*POOL_SPEC, "requirements", 0, "operator"], "Is", "operator is \"Is\""),
        (NODE_POOL, [*POOL_SPEC, "nodeClassRef", "name"], REMOVED, "nodeClassRef.name is missing"),
        (
            NODE_POOL,
            ["spec", "template", "metadata", "labels"],
            {"karpenter.sh/nodepool": "gpu"},
            "the label karpenter.sh/nodepool is Karpenter's own",
        ),
        (NODE_CLASS, ["spec", "amiSelectorTerms", 0, "alias"], "ami-1", "alias is \"ami-1\""),
        (NODE_CLASS, ["spec", "amiSelectorTerms"], [], "spec.amiSelectorTerms is []"),
        (NODE_CLASS, ["spec", "role"], REMOVED, "spec.role is missing"),
        (NODE_CLASS, ["spec", "subnetSelectorTerms", 0, "id"], "10.0.0.0/24", "subnetSelectorTerms[0].id is"),
        (NODE_CLASS, ["spec", "blockDeviceMappings", 0, "ebs", "volumeSize"], "100GB", "volumeSize is \"100GB\""),
        (NODE_CLASS, ["spec", "blockDeviceMappings", 0, "ebs", "encryption"], True, "has no field 'encryption'"),
        (NODE_CLASS, ["spec", "metadataOptions", "httpPutResponseHopLimit"], 65, "httpPutResponseHopLimit is 65"),
        (NODE_CLASS, ["spec", "instanceStorePolicy"], "RAID1", "instanceStorePolicy is \"RAID1\""),
        (NODE_CLASS, ["spec", "networkInterfaces", 0, "interfaceType"], "efa-only", "one adapter a card"),
        (NODE_CLASS, ["spec", "networkInterfaces", 0, "deviceIndex"], 2, "an interface as first device"),
        (NODE_CLASS, ["spec", "networkInterfaces", 1, "interfaceType"], "efa", "interfaceType is \"efa\""),
        (NODE_CLASS, ["spec", "tags"], {"karpenter.sh/nodepool": "gpu"}, "the tag karpenter.sh/nodepool is"),
        (NODE_CLASS, ["spec", "placementGroupSelector", "id"], "efa", "placementGroupSelector.id is \"efa\""),
        (OVERLAY, ["spec", "capacity"], {"cpu": "4"}, "capacity must not hold cpu"),
        (OVERLAY, ["spec", "price"], "1", "our model of NodeOverlay has no field 'price'"),
        (OVERLAY, ["kind"], "NodeOverlays", "kind NodeOverlays of karpenter.sh/v1alpha1 has no model here"),
        (OVERLAY, ["data"], {}, "NodeOverlay has no field 'data'"),
    ],
)  # fmt: skip
def test_what_karpenter_refuses_is_refused_here(good, path, value, sentence):
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        validate(changed(good, path, value), "1.35")
