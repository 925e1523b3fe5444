"""AWS's quotas: how one is read, and whether there is room under it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackyard.preflight.account import Account
from stackyard.preflight.finding import Finding, Unanswered, failed, passed
from stackyard.preflight.target import Target


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One quota of Service Quotas. Its code is the same in every region."""

    name: str
    """As AWS calls it."""
    service: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What an environment needs of a quota."""

    quota: Quota
    allowed: float | Unanswered
    """The quota's value, or why it is not known."""
    used: int
    """What is taken already, by whatever does not belong to this environment."""
    needed: int
    """The most that the environment needs."""
    parts: Mapping[str, int] = field(default_factory=dict[str, int])
    """The same by who needs it, where several do."""
    unit: str = ""
    """For example `vCPUs`; empty for things that are counted."""
    place: str = ""
    """What the quota is counted in, where that is not the region: ` in us-east-1a`."""


def read_quota(account: Account, quota: Quota) -> float | Unanswered:
    """The account's value of a quota, or AWS's default where none was ever applied; Unanswered if AWS does not say."""
    none = frozenset({"NoSuchResourceException"})
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        answer = account.call("service-quotas", "get_service_quota", missing=none, **names)
        if answer is None and account.emulated:
            return Unanswered("the emulator does not know this quota")
        if answer is None:
            answer = account.call("service-quotas", "get_aws_default_service_quota", missing=none, **names)
    except Unanswered as silence:
        return silence
    return float(answer["Quota"]["Value"]) if answer else Unanswered(f"AWS knows no quota {quota.code}")


def judge_limit(limit: Limit, target: Target) -> Finding:
    unit = f" {limit.unit}" if limit.unit else ""
    parts = f" ({', '.join(f'{count} for {who}' for who, count in limit.parts.items())})" if limit.parts else ""
    used = f", {limit.used} taken already" if limit.used else ""
    sentence = f"{limit.quota.name}{limit.place}: needs {limit.needed}{unit}{parts}{used}"
    if isinstance(limit.allowed, Unanswered):
        return limit.allowed.finding(sentence)
    sentence += f", quota {limit.allowed:g}"
    wanted = limit.used + limit.needed
    if limit.allowed >= wanted:
        return passed(sentence)
    return failed(
        sentence,
        f"ask for {wanted} ({limit.quota.code}); AWS takes minutes to days",
        f"aws service-quotas request-service-quota-increase --service-code {limit.quota.service} "
        f"--quota-code {limit.quota.code} --desired-value {wanted} --region {target.region}",
    )
