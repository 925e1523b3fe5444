"""Environments to check, and accounts that answer from memory. Nothing is called for real."""

from datetime import date
from pathlib import Path
from typing import Any

import boto3
from botocore.stub import Stubber

from stacks.settings import Layer, parse
from stackyard.local import safety
from stackyard.preflight.account import Account
from stackyard.preflight.finding import Finding, Level
from stackyard.preflight.target import Target
from tests.stacks.settings_cases import put, valid

ROOT = Path(__file__).resolve().parents[2]
REGION, ACCOUNT = "us-east-1", "111122223333"
TODAY = date(2026, 11, 24)

VPC = "vpc-0123456789abcdef0"
SUBNETS = [
    {"id": "subnet-0123456789abcdef0", "zone": "us-east-1a", "cidr": "10.20.0.0/20"},
    {"id": "subnet-0123456789abcdef1", "zone": "us-east-1b", "cidr": "10.20.16.0/20"},
    {"id": "subnet-0123456789abcdef2", "zone": "us-east-1a", "cidr": "10.20.32.0/20", "public": True},
]
ADOPTED = {"network": {"existing": {"vpcId": VPC, "cidr": "10.20.0.0/16", "subnets": SUBNETS}}}
"""Settings of an environment in somebody else's VPC."""


def target(changes: dict[str, Any] | None = None, **options: Any) -> Target:
    """A small environment with both layers; `changes` by dotted path of its settings."""
    config = valid()
    for path, value in (changes or {}).items():
        config = put(config, path, value)
    defaults = {"root": ROOT, "environment": "dev", "layers": frozenset({Layer.BASE, Layer.PLATFORM}), "today": TODAY}
    return Target(stacks={"dev": parse(config)}, **(defaults | options))


def pool(**values: Any) -> dict[str, Any]:
    """A GPU pool's settings, in YAML's words."""
    defaults = {"name": "gpu", "instanceTypes": ["p5.48xlarge"], "capacity": "on_demand", "maxNodes": 2}
    return {**defaults, "gpu": {"maxGpus": 16}, **values}


# One for all: reading the services' models takes longer than the tests.
_SESSION = boto3.Session("k", "s", region_name=REGION, botocore_session=safety.bare_session())


class Script:
    """Clients whose calls are answered in order, each answer checked against botocore's model of the service."""

    def __init__(self):
        self._clients: dict[str, Any] = {}
        self._stubbers: dict[str, Stubber] = {}

    def __call__(self, service: str, region: str) -> Any:
        if service not in self._clients:
            untyped: Any = _SESSION
            self._clients[service] = untyped.client(service, endpoint_url="http://127.0.0.1:9")
            self._stubbers[service] = Stubber(self._clients[service])
            self._stubbers[service].activate()
        return self._clients[service]

    def answer(self, service: str, method: str, response: dict[str, Any], expected: dict[str, Any] | None = None):
        self(service, REGION)
        self._stubbers[service].add_response(method, response, expected)
        return self

    def refuse(self, service: str, method: str, code: str, message: str = "no", status: int = 400):
        self(service, REGION)
        self._stubbers[service].add_client_error(method, code, message, http_status_code=status)
        return self

    def account(self, *, emulated: bool = False) -> Account:
        return Account(self, REGION, emulated=emulated)

    def assert_used_up(self) -> None:
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()


def levels(findings) -> list[Level]:
    return [finding.level for finding in findings]


def only(findings) -> Finding:
    (finding,) = findings
    return finding


def failures(findings) -> list[str]:
    return [finding.sentence for finding in findings if finding.level is Level.FAIL]
