"""Karpenter's own kinds, checked against models of the fields that our pools set: any other field is refused.

Patterns, ranges and rules as in the definitions of aws/karpenter-provider-aws and sigs.k8s.io/karpenter at tag v1.14.1,
of which no package for Python carries a model.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stackyard.local.kubernetes.custom_models import CustomModel, Specs, custom_problems

QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
LABEL_KEY = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(\/))?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
)
LABEL_VALUE = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"

Quantity = Annotated[str, Field(pattern=QUANTITY)]
LabelKey = Annotated[str, Field(pattern=LABEL_KEY, max_length=316)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]
Duration = Annotated[str, Field(pattern=r"^(([0-9]+(s|m|h))+|Never)$")]
FiniteDuration = Annotated[str, Field(pattern=r"^([0-9]+(s|m|h))+$")]

# Labels of Karpenter's own domains, which a pool may not set but by `requirements` or a node class.
OWN_DOMAINS = ("karpenter.sh", "karpenter.k8s.aws")
# A node's extended resources alone: the type's own are what EC2 says.
FIXED_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage", "pods"})


class _Requirement(CustomModel):
    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"]
    values: list[LabelValue] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_values(self) -> "_Requirement":
        if self.operator in ("In", "NotIn") and not self.values:
            raise ValueError(f"the operator {self.operator} needs at least one value")
        return self


class _Taint(CustomModel):
    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class _NodeClassRef(CustomModel):
    group: Literal["karpenter.k8s.aws"]
    kind: Literal["EC2NodeClass"]
    name: str = Field(min_length=1)


class _TemplateSpec(CustomModel):
    node_class_ref: _NodeClassRef
    requirements: list[_Requirement] = Field(max_length=100)
    taints: list[_Taint] = Field(default_factory=list[_Taint])
    expire_after: Duration = "720h"
    termination_grace_period: FiniteDuration | None = None


class _TemplateMetadata(CustomModel):
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=100)

    @model_validator(mode="after")
    def _leaves_karpenters_labels_alone(self) -> "_TemplateMetadata":
        for key in self.labels:
            if key.partition("/")[0].endswith(OWN_DOMAINS) or key == "kubernetes.io/hostname":
                raise ValueError(f"the label {key} is Karpenter's own")
        return self


class _Template(CustomModel):
    metadata: _TemplateMetadata = Field(default_factory=_TemplateMetadata)
    spec: _TemplateSpec


class _Budget(CustomModel):
    nodes: str = Field(pattern=r"^((100|[0-9]{1,2})%|[0-9]+)$")
    reasons: list[Literal["Underutilized", "Empty", "Drifted"]] | None = None
    schedule: str | None = Field(default=None, pattern=r"^((.+)\s(.+)\s(.+)\s(.+)\s(.+))$")
    duration: str | None = Field(default=None, pattern=r"^((([0-9]+(h|m))|([0-9]+h[0-9]+m))(0s)?)$")

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> "_Budget":
        if (self.schedule is None) != (self.duration is None):
            raise ValueError("schedule must be set with duration")
        return self


class _Disruption(CustomModel):
    consolidation_policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized"] = "WhenEmptyOrUnderutilized"
    consolidate_after: Duration
    budgets: list[_Budget] = Field(max_length=50)


class _PoolSpec(CustomModel):
    template: _Template
    disruption: _Disruption
    limits: dict[str, Quantity]
    weight: int = Field(ge=1, le=100)


class _OverlaySpec(CustomModel):
    requirements: list[_Requirement] = Field(max_length=100)
    capacity: dict[str, Quantity]

    @model_validator(mode="after")
    def _adds_extended_resources(self) -> "_OverlaySpec":
        if fixed := sorted(FIXED_RESOURCES & set(self.capacity)):
            raise ValueError(f"capacity must not hold {', '.join(fixed)}")
        return self


class _Image(CustomModel):
    alias: str = Field(pattern=r"^(al2|al2023|bottlerocket)@.+$", max_length=30)


class _SubnetTerm(CustomModel):
    id: str = Field(pattern="^subnet-[0-9a-z]+$")


class _GroupTerm(CustomModel):
    id: str = Field(pattern="^sg-[0-9a-z]+$")


class _ReservationTerm(CustomModel):
    id: str = Field(pattern="^cr-[0-9a-z]+$")


class _Ebs(CustomModel):
    delete_on_termination: bool
    encrypted: bool
    kms_key_id: str | None = Field(default=None, alias="kmsKeyID")
    volume_size: str = Field(pattern=r"^[1-9][0-9]{0,4}Gi$")
    volume_type: Literal["gp3"]


class _Device(CustomModel):
    device_name: str
    ebs: _Ebs


class _Interface(CustomModel):
    network_card_index: int = Field(ge=0)
    device_index: int = Field(ge=0)
    interface_type: Literal["interface", "efa-only"]


class _PlacementGroup(CustomModel):
    id: str = Field(pattern="^pg-[0-9a-z]+$")


class _MetadataOptions(CustomModel):
    http_endpoint: Literal["enabled", "disabled"]
    http_protocol_ipv6: Literal["enabled", "disabled"] = Field(alias="httpProtocolIPv6")
    http_put_response_hop_limit: int = Field(ge=1, le=64)
    http_tokens: Literal["required", "optional"]


class _Kubelet(CustomModel):
    max_pods: int = Field(ge=0)


class _ClassSpec(CustomModel):
    ami_selector_terms: list[_Image] = Field(min_length=1, max_length=1)
    associate_public_ip_address: bool | None = Field(default=None, alias="associatePublicIPAddress")
    block_device_mappings: list[_Device] = Field(max_length=50)
    capacity_reservation_selector_terms: list[_ReservationTerm] = Field(
        default_factory=list[_ReservationTerm], max_length=30
    )
    instance_store_policy: Literal["RAID0"] | None = None
    kubelet: _Kubelet
    metadata_options: _MetadataOptions
    network_interfaces: list[_Interface] = Field(default_factory=list[_Interface], max_length=150)
    placement_group_selector: _PlacementGroup | None = None
    role: str = Field(min_length=1)
    security_group_selector_terms: list[_GroupTerm] = Field(min_length=1, max_length=30)
    subnet_selector_terms: list[_SubnetTerm] = Field(min_length=1, max_length=30)
    tags: dict[str, str] = Field(default_factory=dict)
    user_data: str | None = None

    @model_validator(mode="after")
    def _has_interfaces_that_ec2_makes(self) -> "_ClassSpec":
        cards = [one.network_card_index for one in self.network_interfaces if one.interface_type == "efa-only"]
        places = [(one.network_card_index, one.device_index) for one in self.network_interfaces]
        if len(set(cards)) < len(cards) or len(set(places)) < len(places):
            raise ValueError("networkInterfaces must have one device a place, and one adapter a card")
        primary = [one for one in self.network_interfaces if (one.network_card_index, one.device_index) == (0, 0)]
        if self.network_interfaces and [one.interface_type for one in primary] != ["interface"]:
            raise ValueError("networkInterfaces must have an interface as first device of the first card")
        return self

    @model_validator(mode="after")
    def _leaves_karpenters_tags_alone(self) -> "_ClassSpec":
        for key in self.tags:
            if key.startswith(("kubernetes.io/cluster", "karpenter.sh/", "karpenter.k8s.aws/", "eks:")):
                raise ValueError(f"the tag {key} is Karpenter's own")
        return self


_SPECS: Specs = {
    ("karpenter.k8s.aws/v1", "EC2NodeClass"): _ClassSpec,
    ("karpenter.sh/v1", "NodePool"): _PoolSpec,
    ("karpenter.sh/v1alpha1", "NodeOverlay"): _OverlaySpec,
}
KARPENTER_API_VERSIONS = tuple(sorted({api_version for api_version, _ in _SPECS}))
KARPENTER_KINDS = frozenset(kind for _, kind in _SPECS)


def karpenter_problems(obj: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object of Karpenter's; empty when nothing is."""
    return custom_problems(obj, _SPECS, "Karpenter")
