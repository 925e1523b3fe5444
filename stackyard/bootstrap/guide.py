"""The commands that follow a bootstrap, layer by layer, as they are typed. Pure: made from the stack files alone.

Flags were read in the CLI's own sources (pulumi 3.272: cmd/pulumi/stack/stack_new.go, cmd/pulumi/auth/login.go).
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stackyard.bootstrap.store import Stack, StateStore, account_environment, state_store


@dataclass(frozen=True, kw_only=True)
class Step:
    title: str
    note: str
    commands: tuple[str, ...] = ()


def steps(root: Path, store: StateStore) -> list[Step]:
    """What to do, in order, from here to a running environment."""
    layers = (step for stack in store.stacks for step in _stack_steps(store, stack))
    return [*_account_steps(root, store), _login(store), *layers]


def _account_steps(root: Path, store: StateStore) -> Iterator[Step]:
    if any("account" in stack.layers for stack in store.stacks):
        return
    name = account_environment(root, store.account_id)
    if name is None:
        note = (
            f"No stack file has the layer account for {store.account_id}. Needed only if GitHub is to deploy there: "
            "copy stacks/Pulumi.account.yaml, and set accountId and ci.stacks."
        )
        yield Step(title="Account", note=note)
        return
    account = state_store(root, name)
    note = "Once per account, by an administrator, never by CI. Its state has a bucket of its own, out of CI's reach."
    commands = (f"stackyard bootstrap --env {name}", _login_command(account), *_account_commands(account))
    yield Step(title="Account", note=note, commands=commands)


def _account_commands(store: StateStore) -> Iterator[str]:
    for stack in store.stacks:
        yield _init_command(store, stack)
        yield _up_command(stack)


def _login(store: StateStore) -> Step:
    note = "From here on Pulumi keeps states in the bucket. It remembers the bucket until the next login."
    return Step(title="State", note=note, commands=(_login_command(store),))


def _stack_steps(store: StateStore, stack: Stack) -> Iterator[Step]:
    init, up = _init_command(store, stack), _up_command(stack)
    layers = set(stack.layers)
    if layers == {"account"}:
        yield Step(title="Account", note="Applied by an administrator, never by CI.", commands=(init, up))
    elif layers == {"base"}:
        yield Step(title="Base", note="Network, buckets, registries: AWS's API alone.", commands=(init, up))
        yield Step(title="Images", note=f"{_no_examples(store)} {_BUILD}")
    elif layers == {"platform"}:
        yield Step(title="Platform", note=_platform_note(stack), commands=(_COMPILE, init, up))
    else:
        yield Step(title="Digests", note=_no_examples(store))
        yield Step(title="Base and platform", note=_platform_note(stack), commands=(_COMPILE, init, up))
        yield Step(title="Images", note=_BUILD, commands=(up,))


_COMPILE = "stackyard pipelines compile"
_BUILD = (
    "Build and push the images (no command of Stackyard does it yet), and write their digests there. "
    "Without a line the platform comes up without what runs in that image, and says so."
)


def _no_examples(store: StateStore) -> str:
    return (
        f"Remove the lines under `{store.environment}:` in stacks/images.lock.yaml that say `example: true`: "
        "they stand for images that nobody has built, and an `up` refuses them."
    )


def _platform_note(stack: Stack) -> str:
    if stack.private_cluster:
        return "The cluster's API is private: run this from inside the VPC (docs/access.md), a laptop cannot reach it."
    return "The cluster's API answers to the networks in cluster.publicAccessCidrs: run this from one of them."


def _login_command(store: StateStore) -> str:
    return f"pulumi login {shlex.quote(store.backend_url)}"


def _init_command(store: StateStore, stack: Stack) -> str:
    return f"pulumi stack init {stack.name} --secrets-provider={shlex.quote(store.secrets_provider)}"


def _up_command(stack: Stack) -> str:
    return f"pulumi up --stack {stack.name}"
