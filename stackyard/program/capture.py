"""`stackyard capture`: everything that a stack's program registers, without credentials and without network."""

import json
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from stacks.plain import is_list
from stackyard.errors import InvalidInput
from stackyard.program import state
from stackyard.program.child import Request
from stackyard.program.deployment import STACK_REFERENCE_TYPE, Deployment
from stackyard.program.process import Refused, capture_environment, run_child
from stackyard.program.records import from_document, to_document
from stackyard.program.stackfiles import StackConfig, read_stack, to_environment
from stackyard.program.terraform_plan import terraform_plan
from stackyard.program.values import secret_as_plaintext, to_json

DISABLED_DEFAULTS_KEY = "pulumi:disable-default-providers"


class Format(StrEnum):
    JSON = "json"
    """Every registration with all its options."""
    STATE = "state"
    """As `pulumi stack export` writes a state."""
    TERRAFORM_PLAN = "terraform-plan"
    """AWS's resources as a Terraform plan in JSON, for scanners that read that."""


def capture(root: Path, stack: str, *, prior: Deployment | None = None, base_from: Path | None = None) -> Deployment:
    """The deployment that the stack's program describes.

    Without `prior`, what AWS would compute gets plausible values; with it, resources that stay keep their outputs.
    Raises InvalidInput for bad settings, before anything runs.
    """
    config = read_stack(root, stack)
    request = request_for(root, config, mode="capture", prior=prior, base_from=base_from)
    with tempfile.TemporaryDirectory(prefix="stackyard-") as home:
        outcome = run_child(request, capture_environment(to_environment(config), home))
    if outcome.failures:
        raise Refused("\n".join(outcome.failures))
    assert outcome.deployment
    return outcome.deployment


def request_for(
    root: Path,
    config: StackConfig,
    *,
    mode: Any,
    prior: Deployment | None = None,
    base_from: Path | None = None,
    base: Deployment | None = None,
    engine_events: bool = False,
    local: Mapping[str, Any] | None = None,
) -> Request:
    """A child's request for a stack; its settings are parsed here first, so that bad ones are refused at once."""
    settings = parse_settings(config)
    references: dict[str, dict[str, Any]] = {}
    if mode not in ("destroy", "resume"):  # which run no program, so nobody asks for another stack's outputs
        references = base_outputs(root, config, settings.environment, prior=prior, base_from=base_from, base=base)
    return Request(
        root=str(root),
        main=str(root / "stacks"),
        project=config.project,
        stack=config.stack,
        mode=mode,
        account_id=settings.environment.account_id,
        region=settings.environment.region,
        prior=to_document(prior) if prior else None,
        references=references,
        disabled_default_providers=_disabled_defaults(config),
        engine_events=engine_events,
        local=dict(local or {}),
    )


def _disabled_defaults(config: StackConfig) -> tuple[str, ...]:
    """Packages whose default provider a program must not use."""
    value: Any = config.config.get(DISABLED_DEFAULTS_KEY) or ()
    if not is_list(value) or not all(isinstance(name, str) for name in value):
        from stacks.problems import shown

        raise InvalidInput(
            f"Pulumi.{config.stack}.yaml: {DISABLED_DEFAULTS_KEY} is {shown(value)}, but must be a list of packages' "
            "names: a resource of theirs without an explicit provider would go to whatever account the machine is "
            f'logged in to. Valid: {DISABLED_DEFAULTS_KEY}: ["*"]'
        )
    return tuple(value)


def parse_settings(config: StackConfig) -> Any:
    """The typed settings of a stack. Raises SettingsError, which lists every problem."""
    from stacks.settings import parse

    prefix = f"{config.project}:"
    sections = {key.removeprefix(prefix): value for key, value in config.config.items() if key.startswith(prefix)}
    secret = [key.removeprefix(prefix) for key in config.secret_keys]
    return parse(sections, secret_keys=secret, stack=config.stack)


def base_outputs(
    root: Path,
    config: StackConfig,
    environment: Any,
    *,
    prior: Deployment | None,
    base_from: Path | None,
    base: Deployment | None,
) -> dict[str, dict[str, Any]]:
    """Outputs of the base stack for a stack that has only the platform layer; empty for any other.

    Sources, in this order: `base_from`; `base` (a local state); what the prior state recorded; a capture of the base.
    """
    if [str(layer) for layer in environment.layers] != ["platform"]:
        return {}
    name = base_stack(config.stack, environment.name)
    reference = f"organization/{config.project}/{name}"
    if base_from is not None:
        outputs = read_any(base_from).outputs
    elif base is not None:
        outputs = base.outputs
    elif prior and (recorded := _recorded(prior, reference)) is not None:
        outputs = recorded
    else:
        outputs = capture(root, name).outputs
    return {reference: to_json(outputs, secret=secret_as_plaintext)}


def base_stack(stack: str, environment: str) -> str:
    if stack.endswith("-platform"):
        return f"{stack.removesuffix('-platform')}-base"
    return f"{environment}-base"


def _recorded(prior: Deployment, reference: str) -> Mapping[str, Any] | None:
    for resource in prior.of_type(STACK_REFERENCE_TYPE):
        if resource.outputs.get("name", resource.name) == reference:
            return resource.outputs.get("outputs")
    return None


def read_any(path: Path) -> Deployment:
    """A deployment from a file that holds a capture (`--format json`) or an exported state."""
    if not path.is_file():
        raise InvalidInput(
            f"{path} does not exist: give a file that `stackyard capture` or `pulumi stack export` wrote"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not readable JSON ({error})") from None
    if not isinstance(data, dict) or not {"project", "stack", "resources", "outputs"} <= set(data):
        return state.from_state(data, source=str(path))
    try:
        return from_document(data)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise InvalidInput(
            f"{path} looks like a capture, but its resources do not have that form: write it again with "
            "`stackyard capture --stack STACK --output FILE`"
        ) from None


def render(deployment: Deployment, format_: Format) -> str:
    """The capture as text; equal captures are equal bytes."""
    match format_:
        case Format.STATE:
            document = state.to_state(deployment)
        case Format.TERRAFORM_PLAN:
            document = terraform_plan(deployment)
        case Format.JSON:
            document = to_document(deployment)
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
