"""The checks, in the order of what stands on what: the first failure is the one to mend first."""

from typing import Any

from stackyard.preflight.check import Check
from stackyard.preflight.checks import (
    buckets,
    identity,
    instances,
    machine,
    named,
    network,
    quotas,
    reservations,
    vcpus,
    versions,
)

CHECKS: tuple[Check[Any], ...] = (
    *identity.CHECKS,
    *machine.CHECKS,
    *network.CHECKS,
    *buckets.CHECKS,
    *named.CHECKS,
    *quotas.CHECKS,
    *vcpus.CHECKS,
    *instances.CHECKS,
    *reservations.CHECKS,
    *versions.CHECKS,
)
