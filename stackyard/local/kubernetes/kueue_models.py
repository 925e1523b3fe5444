"""Kueue's kinds, checked against models of the fields that our queues set: any other field is refused.

Patterns, ranges and rules as in `config/components/crd/bases` and the webhooks of kubernetes-sigs/kueue at tag v0.19.2,
of which no package for Python carries a model.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stackyard.local.kubernetes.custom_models import CustomModel, Specs, custom_problems

KUEUE_API_VERSION = "kueue.x-k8s.io/v1beta2"

QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
REFERENCE = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"

Quantity = Annotated[str, Field(pattern=QUANTITY)]
Reference = Annotated[str, Field(pattern=REFERENCE, max_length=253)]
LabelKey = Annotated[str, Field(pattern=LABEL_KEY)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]
ResourceName = Annotated[str, Field(pattern=LABEL_KEY)]


class _Taint(CustomModel):
    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class _FlavorSpec(CustomModel):
    node_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=8)
    node_taints: list[_Taint] = Field(default_factory=list[_Taint], max_length=8)


class _Requirement(CustomModel):
    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[LabelValue] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_values(self) -> "_Requirement":
        if (self.operator in ("In", "NotIn")) is not bool(self.values):
            raise ValueError(f"the operator {self.operator} needs values with In and NotIn, and none otherwise")
        return self


class _Selector(CustomModel):
    match_expressions: list[_Requirement] = Field(default_factory=list[_Requirement])


class _ResourceQuota(CustomModel):
    name: ResourceName
    nominal_quota: Quantity
    borrowing_limit: Quantity | None = None

    @model_validator(mode="after")
    def _is_not_negative(self) -> "_ResourceQuota":
        if self.nominal_quota.startswith("-") or (self.borrowing_limit or "").startswith("-"):
            raise ValueError(f"a quota of {self.name} must not be negative")
        return self


class _FlavorQuotas(CustomModel):
    name: Reference
    resources: list[_ResourceQuota] = Field(min_length=1, max_length=64)


class _ResourceGroup(CustomModel):
    covered_resources: list[ResourceName] = Field(min_length=1, max_length=64)
    flavors: list[_FlavorQuotas] = Field(min_length=1, max_length=64)

    @model_validator(mode="after")
    def _every_flavor_has_a_quota_for_each_resource(self) -> "_ResourceGroup":
        for flavor in self.flavors:
            if (names := [quota.name for quota in flavor.resources]) != self.covered_resources:
                raise ValueError(f"flavor {flavor.name} has quotas for {names}, not for {self.covered_resources}")
        return self


class _BorrowWithinCohort(CustomModel):
    policy: Literal["Never", "LowerPriority"] = "Never"


class _Preemption(CustomModel):
    within_cluster_queue: Literal["Never", "LowerPriority", "LowerOrNewerEqualPriority"] = "Never"
    reclaim_within_cohort: Literal["Never", "LowerPriority", "Any"] = "Never"
    borrow_within_cohort: _BorrowWithinCohort = Field(default_factory=_BorrowWithinCohort)

    @model_validator(mode="after")
    def _borrows_only_what_is_reclaimed(self) -> "_Preemption":
        if self.reclaim_within_cohort == "Never" and self.borrow_within_cohort.policy != "Never":
            raise ValueError("reclaimWithinCohort=Never and borrowWithinCohort.policy!=Never exclude each other")
        return self


class _Fungibility(CustomModel):
    when_can_borrow: Literal["MayStopSearch", "TryNextFlavor"] = "MayStopSearch"
    when_can_preempt: Literal["MayStopSearch", "TryNextFlavor"] = "TryNextFlavor"


class _ClusterQueueSpec(CustomModel):
    cohort_name: Reference | None = None
    namespace_selector: _Selector
    """Kueue takes it as optional; without it no namespace may use the queue."""
    queueing_strategy: Literal["StrictFIFO", "BestEffortFIFO"] = "BestEffortFIFO"
    preemption: _Preemption = Field(default_factory=_Preemption)
    flavor_fungibility: _Fungibility = Field(default_factory=_Fungibility)
    resource_groups: list[_ResourceGroup] = Field(max_length=16)

    @model_validator(mode="after")
    def _each_stands_in_one_group(self) -> "_ClusterQueueSpec":
        resources = [name for group in self.resource_groups for name in group.covered_resources]
        flavors = [flavor.name for group in self.resource_groups for flavor in group.flavors]
        for what, names in (("resource", resources), ("flavor", flavors)):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(
                    f"the {what} {twice[0]} stands twice in resourceGroups: each stands in one group, once"
                )
        return self

    @model_validator(mode="after")
    def _borrows_within_a_cohort(self) -> "_ClusterQueueSpec":
        quotas = [quota for group in self.resource_groups for flavor in group.flavors for quota in flavor.resources]
        if self.cohort_name is None and any(quota.borrowing_limit is not None for quota in quotas):
            raise ValueError("borrowingLimit must not be given without cohortName: there is nobody to borrow from")
        return self


class _LocalQueueSpec(CustomModel):
    cluster_queue: Reference


_SPECS: Specs = {
    (KUEUE_API_VERSION, "ClusterQueue"): _ClusterQueueSpec,
    (KUEUE_API_VERSION, "LocalQueue"): _LocalQueueSpec,
    (KUEUE_API_VERSION, "ResourceFlavor"): _FlavorSpec,
}
KUEUE_CLUSTER_KINDS = frozenset({"ClusterQueue", "ResourceFlavor"})
"""Kinds that live in no namespace."""


def kueue_problems(obj: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object of Kueue's; empty when nothing is."""
    return custom_problems(obj, _SPECS, "Kueue")
