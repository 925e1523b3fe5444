"""This machine: what a deployment calls here, and whether it reaches the cluster. And images that nobody has built."""

import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from stacks.images import LockedImage, locked_images, refuse_example_images
from stacks.settings import present
from stackyard.errors import UserError
from stackyard.preflight.account import Account
from stackyard.preflight.check import EVERY, PLATFORM, Check
from stackyard.preflight.finding import Finding, failed, passed, skipped
from stackyard.preflight.target import Target

CONNECT_SECONDS = 5
PULUMI = (
    "the Pulumi CLI applies the stacks",
    "install it: https://www.pulumi.com/docs/install/",
)
AWS_CLI = (
    "the Kubernetes provider gets its tokens from it",
    "install it: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
)


@dataclass(frozen=True)
class Tool:
    name: str
    path: str | None
    """None if it is not on PATH."""


def fetch_pulumi(account: Account, target: Target) -> Tool:
    return Tool("pulumi", shutil.which("pulumi"))


def fetch_aws_cli(account: Account, target: Target) -> Tool:
    return Tool("aws", shutil.which("aws"))


def judge_pulumi(tool: Tool, target: Target) -> Iterator[Finding]:
    yield _judge_tool(tool, *PULUMI)


def judge_aws_cli(tool: Tool, target: Target) -> Iterator[Finding]:
    yield _judge_tool(tool, *AWS_CLI)


def _judge_tool(tool: Tool, reason: str, remedy: str) -> Finding:
    if tool.path is None:
        return failed(f"`{tool.name}` is not on PATH here: {reason}", remedy)
    return passed(f"`{tool.name}` is {tool.path}")


@dataclass(frozen=True)
class EndpointFacts:
    endpoint: str
    """Address of the cluster's API; empty while there is no cluster."""
    problem: str = ""
    """Why no connection came about from here; empty if one did."""


def fetch_endpoint(account: Account, target: Target) -> EndpointFacts:
    answer = account.call("eks", "describe_cluster", missing=frozenset({"ResourceNotFoundException"}), name=target.stem)
    endpoint = str(answer["cluster"].get("endpoint", "")) if answer else ""
    return EndpointFacts(endpoint, connect(endpoint) if endpoint else "")


def connect(endpoint: str) -> str:
    """Why no TCP connection to an https endpoint comes about; empty if it does. Sends nothing."""
    address = urlsplit(endpoint)
    try:
        socket.create_connection((address.hostname or "", address.port or 443), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return str(error)
    return ""


def judge_endpoint(facts: EndpointFacts, target: Target) -> Iterator[Finding]:
    private = not present(target.cluster).public_access_cidrs
    where = "from inside the VPC only" if private else "to the networks in cluster.publicAccessCidrs"
    if not facts.endpoint:
        yield skipped(f"the cluster {target.stem} does not exist yet; its API will answer {where}")
    elif facts.problem:
        yield failed(
            f"the API of {target.stem} ({facts.endpoint}) cannot be reached from here: {facts.problem}; it answers "
            f"{where}",
            "deploy the platform layer from where it can be reached: docs/access.md",
        )
    else:
        yield passed(f"the API of {target.stem} can be reached from here ({facts.endpoint})")


def fetch_images(account: Account, target: Target) -> Mapping[str, LockedImage]:
    return locked_images(target.environment, lock=target.root / "stacks" / "images.lock.yaml")


def judge_images(images: Mapping[str, LockedImage], target: Target) -> Iterator[Finding]:
    try:
        refuse_example_images(target.environment, images.values())
    except UserError as refusal:
        remedy = "remove these lines, and what runs in the images is left out; or write digests of images of your own"
        yield failed(str(refusal).partition(". ")[0], remedy)
        return
    if images:
        yield passed(", ".join(f"{name} {image.digest[:19]}…" for name, image in sorted(images.items())))
    else:
        yield passed("none is built yet: what runs in one is left out, with a warning")


def _emulated(target: Target) -> str:
    return "the local stack needs none" if target.emulated else ""


def _emulated_api(target: Target) -> str:
    return "the local stack has no Kubernetes API server" if target.emulated else ""


CHECKS: tuple[Check[Any], ...] = (
    Check(name="Pulumi CLI", layers=EVERY, fetch=fetch_pulumi, judge=judge_pulumi, skip=_emulated, asks_aws=False),
    Check(name="AWS CLI", layers=PLATFORM, fetch=fetch_aws_cli, judge=judge_aws_cli, skip=_emulated, asks_aws=False),
    Check(name="images", layers=PLATFORM, fetch=fetch_images, judge=judge_images, asks_aws=False),
    Check(name="cluster endpoint", layers=PLATFORM, fetch=fetch_endpoint, judge=judge_endpoint, skip=_emulated_api),
)
