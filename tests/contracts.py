"""What holds for every component of every stack, as plain functions: each lists its violations."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from stackyard.program.deployment import STACK_REFERENCE_TYPE, STACK_TYPE, Deployment, Resource
from stackyard.program.replacement import forces_of
from stackyard.program.values import Secret, walk

REQUIRED_TAGS = {"owner", "environment", "cost-centre", "managed-by", "component"}

# What cannot be made again once it is gone: it survives a destroy of the stack.
STATEFUL = {
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:ecr/repository:Repository",
    "aws:rds/instance:Instance",
}

SECRET_NAME = re.compile(
    r"(password|passwd|secret|token|private_?key|access_?key|credential)s?(_?(value|string|pem|base64))?$",
    re.IGNORECASE,
)
# Names, references and switches that only sound like a secret; for each the place where it stands.
NOT_SECRET = {
    "httpTokens",  # whether instance metadata asks for a session token
    "automountServiceAccountToken",  # a switch
    "accessAllSecrets",  # a switch of the argo-workflows chart
    "useStaticCredentials",  # a switch of the argo-workflows chart
    "metaflow/production_token",  # a name that keeps two deployments apart; it opens nothing
}


def untagged(deployment: Deployment) -> Iterator[str]:
    for resource in deployment:
        if "tagsAll" in resource.outputs:
            missing = REQUIRED_TAGS - set(resource.outputs["tagsAll"])
            if missing:
                yield f"{resource.name} ({resource.type}) lacks {', '.join(sorted(missing))}"


def without_outputs(deployment: Deployment) -> Iterator[str]:
    for resource in deployment:
        if resource.type.startswith("stackyard:") and not resource.outputs:
            yield f"{resource.name} ({resource.type}) registers no outputs"


def unprotected(deployment: Deployment) -> Iterator[str]:
    """Data that a destroy would delete. A cluster's own key goes with the cluster, never while that is protected."""
    for resource in deployment:
        if resource.type not in STATEFUL or "Cluster" in resource.parent.rsplit("::", 2)[-2]:
            continue
        loosened = str(resource.inputs.get("tags", {}).get("stackyard:loosened", ""))
        if not resource.retain_on_delete and not loosened.startswith("disposable"):
            yield f"{resource.name} ({resource.type}) is not retained"
        if not resource.protect and not loosened:
            yield f"{resource.name} ({resource.type}) is not protected, and no tag says why"


def keys_weaker_than_what_they_encrypt(deployment: Deployment) -> Iterator[str]:
    keys = {resource.outputs["arn"]: resource for resource in deployment.of_type("aws:kms/key:Key")}
    for resource in deployment:
        for _, value in walk(dict(resource.inputs)):
            key = keys.get(value) if isinstance(value, str) else None
            if (
                key
                and resource.type in STATEFUL
                and (resource.protect, resource.retain_on_delete)
                > (
                    key.protect,
                    key.retain_on_delete,
                )
            ):
                yield f"{key.name} is less protected than {resource.name}, which nobody reads without it"


def without_explicit_provider(deployment: Deployment) -> Iterator[str]:
    for resource in deployment:
        # The engine's own provider, of stack references, is always a default one.
        if resource.is_provider and resource.name.startswith("default") and not resource.type.endswith(":pulumi"):
            yield f"{resource.name} is a default provider"
        if resource.custom and not resource.is_provider and not resource.external and not resource.provider:
            yield f"{resource.name} ({resource.type}) names no provider"


def looked_up(deployment: Deployment) -> Iterator[str]:
    references = [resource for resource in deployment if resource.type == STACK_REFERENCE_TYPE]
    if len(references) > 1:
        yield f"{len(references)} stack references: {[r.name for r in references]}"
    for resource in deployment:
        if resource.external and resource.type != STACK_REFERENCE_TYPE:
            yield f"{resource.name} ({resource.type}) is read from the account"


def plain_secrets(deployment: Deployment) -> Iterator[str]:
    """Properties that sound like a secret and hold clear text."""
    for resource in deployment:
        for kind, values in (("input", resource.inputs), ("output", resource.outputs)):
            for path, value in _open_leaves(dict(values)):
                name = re.split(r"[.\[]", path.rstrip("]0123456789["))[-1]
                if SECRET_NAME.search(name) and name not in NOT_SECRET and not _is_reference(value):
                    yield f"{resource.name}: {kind} {path} is clear text"


def _open_leaves(values: dict) -> Iterator[tuple[str, object]]:
    hidden = [path for path, value in walk(values) if isinstance(value, Secret)]
    for path, value in walk(values):
        if isinstance(value, str) and value and not any(path.startswith(secret) for secret in hidden):
            yield path, value


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and value.startswith("arn:")


def without_replacement_row(deployment: Deployment) -> Iterator[str]:
    """Types of which nobody wrote down what replaces them: a plan would call every change of theirs an update."""
    for resource in deployment:
        if resource.custom and not resource.external and not forces_of(resource.type).known:
            yield f"{resource.type} has no row in stackyard/program/replacement.py"


def badly_named_children(deployment: Deployment) -> Iterator[str]:
    by_urn = deployment.by_urn()
    for resource in deployment:
        parent = by_urn.get(resource.parent)
        if parent and parent.type.startswith("stackyard:") and not resource.name.startswith(f"{parent.name}-"):
            yield f"{resource.name} is a child of {parent.name}, but is not named after it"


def parentless(deployment: Deployment) -> Iterator[str]:
    """Resources outside any component: only the stack's providers and references may be."""
    by_urn = deployment.by_urn()
    for resource in deployment:
        if resource.type.startswith(("aws:", "kubernetes:")) and by_urn[resource.parent].type == STACK_TYPE:
            yield f"{resource.name} ({resource.type}) belongs to no component"


def half_released(deployment: Deployment) -> Iterator[str]:
    """Helm releases that a failure leaves half done: the next `up` would meet a failed one."""
    for resource in deployment.of_type("kubernetes:helm.sh/v3:Release"):
        if not (resource.inputs.get("atomic") and resource.inputs.get("cleanupOnFail")):
            yield f"{resource.name} may stay half done: make it with chart_release"


def roles_of_nobody(deployment: Deployment) -> Iterator[str]:
    """Roles whose name does not tell their environment: CI could neither change them nor hand them on."""
    for resource in deployment.of_type("aws:iam/role:Role"):
        environment = resource.outputs.get("tagsAll", {}).get("environment", "")
        # The account's own roles are an administrator's.
        if environment != "account" and f"-{environment}-" not in str(resource.inputs["name"]):
            yield f"{resource.name} is called {resource.inputs['name']}: give it role_name and KEEPS_ITS_NAME"
        if environment != "account" and "name" not in resource.ignore_changes:
            yield f"{resource.name} would be replaced when its stem changes: add KEEPS_ITS_NAME to its options"


def opened_to_everyone(deployment: Deployment) -> Iterator[str]:
    """Policies that allow everyone something, or every action. An endpoint's policy filters and grants nothing."""
    for resource in deployment:
        if resource.type == "aws:ec2/vpcEndpoint:VpcEndpoint":
            continue
        for statement in statements(resource):
            if statement.get("Effect") != "Allow":
                continue
            if statement.get("Principal") in ("*", {"AWS": "*"}):
                yield f"{resource.name} allows everyone {statement.get('Action')}"
            if statement.get("Action") in ("*", ["*"]):
                yield f"{resource.name} allows every action"


def statements(resource: Resource) -> Iterator[dict]:
    for name in ("policy", "assumeRolePolicy"):
        text = resource.inputs.get(name)
        if isinstance(text, str) and text.startswith("{"):
            document = json.loads(text)
            entries = document.get("Statement", [])
            yield from entries if isinstance(entries, list) else [entries]


# Rules about the source


def component_classes(folder: Path) -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and any("ComponentResource" in ast.unparse(base) for base in node.bases):
                yield path, node


def type_token(node: ast.ClassDef) -> str:
    """The token that a component passes to its base class."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__" and call.args:
            token = call.args[0]
            return str(token.value) if isinstance(token, ast.Constant) else ast.unparse(token)
    return ""


def constructor(node: ast.ClassDef) -> ast.FunctionDef:
    return next(item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__")


def resources_inside_apply(source: str) -> Iterator[str]:
    """Resources constructed inside `apply` are missing from a preview."""
    for call in ast.walk(ast.parse(source)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "apply"):
            continue
        for argument in call.args:
            for inner in ast.walk(argument):
                if isinstance(inner, ast.Call) and re.match(
                    r"(aws|k8s|kubernetes)\..*\.[A-Z]", ast.unparse(inner.func)
                ):
                    yield f"line {inner.lineno}: {ast.unparse(inner.func)}"
