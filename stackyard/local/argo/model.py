"""A WorkflowTemplate as the runner sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from stackyard.errors import InvalidInput
from stackyard.local.argo.expressions import DEPENDS_RESULTS, Condition, seconds_of
from stackyard.local.argo.fields import check_fields

KIND = ("argoproj.io/v1alpha1", "WorkflowTemplate")
RETRY_POLICIES = ("Always", "OnFailure", "OnError")
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class Retry:
    limit: int | None = None
    """Attempts after the first. None: no limit, as in Argo."""
    policy: str = "OnFailure"
    wait_seconds: float = 0.0
    factor: float = 1.0
    cap_seconds: float | None = None
    max_seconds: float | None = None
    """No new attempt once this long has passed since the first one's start."""

    def wait_before(self, attempt: int) -> float:
        """Seconds to wait before attempt number `attempt`, which counts from 1 here."""
        seconds = self.wait_seconds * self.factor ** (attempt - 1)
        return seconds if self.cap_seconds is None else min(seconds, self.cap_seconds)


@dataclass(frozen=True, kw_only=True)
class OutputParameter:
    name: str
    path: str = ""
    """File that the container writes; or `source` or `value`."""
    source: str = ""
    """`{{tasks.x.outputs.parameters.y}}` of a DAG."""
    value: str | None = None
    default: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    name: str
    template: str
    arguments: Mapping[str, str]
    depends: Condition | None
    needs: tuple[str, ...]
    """Names of the tasks that must have ended first."""
    when: str = ""
    items: tuple[Any, ...] | None = None
    with_param: str = ""

    @property
    def expanded(self) -> bool:
        return self.items is not None or bool(self.with_param)


@dataclass(frozen=True, kw_only=True)
class Template:
    name: str
    inputs: Mapping[str, str | None]
    """Input parameters and their defaults."""
    outputs: tuple[OutputParameter, ...]
    container: Mapping[str, Any] | None = None
    tasks: tuple[Task, ...] = ()
    fail_fast: bool = True
    retry: Retry | None = None
    deadline: str = ""
    """`activeDeadlineSeconds` of each attempt; may hold a variable. Empty: none."""
    volumes: tuple[str, ...] = ()
    service_account: str = ""


@dataclass(frozen=True, kw_only=True)
class Workflow:
    name: str
    namespace: str
    entrypoint: str
    parameters: Mapping[str, str | None]
    templates: Mapping[str, Template]
    parallelism: int | None = None
    on_exit: str = ""
    deadline_seconds: float | None = None
    service_account: str = "default"
    volumes: tuple[str, ...] = field(default=())


def parse(template: Mapping[str, Any]) -> Workflow:
    """Parses a WorkflowTemplate object. Raises InvalidInput for fields that the runner does not implement."""
    if (template.get("apiVersion"), template.get("kind")) != KIND:
        raise InvalidInput(f"{template.get('kind')} of {template.get('apiVersion')} is no WorkflowTemplate.")
    name, spec = template["metadata"]["name"], template["spec"]
    check_fields(spec, name)
    return Workflow(
        name=name,
        namespace=template["metadata"].get("namespace", "default"),
        entrypoint=spec.get("entrypoint", ""),
        parameters=_parameters(spec.get("arguments")),
        templates={each["name"]: _template(each) for each in spec.get("templates") or ()},
        parallelism=_number(int, spec.get("parallelism"), "spec.parallelism") or None,
        on_exit=spec.get("onExit") or "",
        deadline_seconds=_number(float, spec.get("activeDeadlineSeconds"), "spec.activeDeadlineSeconds") or None,
        service_account=spec.get("serviceAccountName") or "default",
        volumes=tuple(volume["name"] for volume in spec.get("volumes") or ()),
    )


def _parameters(arguments: Mapping[str, Any] | None) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for parameter in (arguments or {}).get("parameters") or ():
        value = parameter.get("value", parameter.get("default"))
        found[parameter["name"]] = None if value is None else _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _template(spec: Mapping[str, Any]) -> Template:
    dag = spec.get("dag") or {}
    deadline = spec.get("activeDeadlineSeconds")
    return Template(
        name=spec["name"],
        inputs=_parameters(spec.get("inputs")),
        outputs=tuple(_output(each) for each in (spec.get("outputs") or {}).get("parameters") or ()),
        container=spec.get("container"),
        tasks=tuple(_task(each) for each in dag.get("tasks") or ()),
        fail_fast=dag.get("failFast") is not False,
        retry=_retry(spec["retryStrategy"], f"template {spec['name']}") if "retryStrategy" in spec else None,
        deadline="" if deadline is None else str(deadline),
        volumes=tuple(volume["name"] for volume in spec.get("volumes") or ()),
        service_account=spec.get("serviceAccountName") or "",
    )


def _output(spec: Mapping[str, Any]) -> OutputParameter:
    source = spec.get("valueFrom") or {}
    return OutputParameter(
        name=spec["name"],
        path=source.get("path", ""),
        source=source.get("parameter", ""),
        value=spec.get("value"),
        default=source.get("default"),
    )


def _task(spec: Mapping[str, Any]) -> Task:
    text = spec.get("depends") or " && ".join(spec.get("dependencies") or ())
    depends = Condition(text) if text.strip() else None
    words = depends.words if depends else []
    for result in (word.partition(".")[2] for word in words):
        if result and result not in DEPENDS_RESULTS:
            raise InvalidInput(
                f"task {spec['name']}: depends on {text!r}: the local runner knows the results "
                f"{', '.join(DEPENDS_RESULTS)}, not {result}."
            )
    items = spec.get("withItems")
    return Task(
        name=spec["name"],
        template=spec.get("template", ""),
        arguments={name: value or "" for name, value in _parameters(spec.get("arguments")).items()},
        depends=depends,
        needs=tuple(dict.fromkeys(word.partition(".")[0] for word in words)),
        when=spec.get("when") or "",
        items=None if items is None else tuple(items),
        with_param=spec.get("withParam") or "",
    )


def _retry(spec: Mapping[str, Any], where: str) -> Retry:
    backoff = spec.get("backoff") or {}
    policy = spec.get("retryPolicy") or "OnFailure"
    if policy not in RETRY_POLICIES:
        raise InvalidInput(f"retryPolicy {policy!r} is not implemented: use one of {', '.join(RETRY_POLICIES)}.")

    def seconds(name: str) -> float | None:
        return seconds_of(backoff[name]) if backoff.get(name) not in (None, "") else None

    return Retry(
        limit=_number(int, spec.get("limit"), f"{where}: retryStrategy.limit"),
        policy=policy,
        wait_seconds=seconds("duration") or 0.0,
        factor=_number(float, backoff.get("factor"), f"{where}: retryStrategy.backoff.factor") or 1.0,
        cap_seconds=seconds("cap"),
        max_seconds=seconds("maxDuration"),
    )


def _number(kind: type[Number], value: Any, where: str) -> Number | None:
    if value is None or value == "":
        return None
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        wanted = "a whole number" if kind is int else "a number"
        raise InvalidInput(f"{where} is {value!r}: the local runner needs {wanted} there, for example 3.") from None
