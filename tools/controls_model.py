"""A control that a stack must meet: what it asks, who judges it, how it ends.

The rows stand in controls_infrastructure.py and controls_workloads.py. How each is met stands on the pages of the
components, and what scanners found in tests/judges; tools/controls.py joins them. Sources of the ids: FSBP (AWS
Foundational Security Best Practices), CIS AWS 5.0, CIS-EKS 1.7.0, BPG (EKS best-practices guide), NSA (NSA/CISA
Kubernetes hardening), ATLAS (MITRE), LLM (OWASP), AISF (AWS AI Security Framework), GitHub's guide to OpenID Connect.
"""

from dataclasses import dataclass
from enum import StrEnum


class Scanner(StrEnum):
    """Outside tools that judge without a cloud. Checkov's rows come from tests/judges instead."""

    IAM = "parliament, cloudsplaining"
    OUTSIDE = "outside scanner only"
    NOBODY = "–"


@dataclass(frozen=True, kw_only=True)
class Control:
    number: int
    ids: str
    asks: str
    tests: tuple[str, ...] = ()
    """`file: test`, below tests/ and without `test_`."""
    scanner: Scanner | None = None
    met: str = ""
    """How, where no component's page says it."""
    excepted: str = ""
    """Why it is not met, for good or in part."""
    later: str = ""
    """The component that brings it, where none has it yet."""
