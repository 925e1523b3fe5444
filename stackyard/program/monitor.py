"""The resource monitor that the SDK talks to: the wire on one side, an `Evaluation` on the other."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import resource_pb2 as rp

from stackyard.errors import UserError
from stackyard.program.deployment import (
    PROVIDER_PREFIX,
    STACK_REFERENCE_TYPE,
    Resource,
    make_urn,
)
from stackyard.program.derived import stable_uuid
from stackyard.program.evaluation import Evaluation, StepRefused
from stackyard.program.registration import alias_specs, resource_of
from stackyard.program.values import Secret, Value, decode, encode

# What the SDK may use when it talks to us. Transforms are announced because the SDK registers its own at start.
FEATURES = [
    rp.RESOURCE_MONITOR_FEATURE_SECRETS,
    rp.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    rp.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    rp.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    rp.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
]

BUILT_IN = "pulumi"
"""The engine's own provider, of stack references. No setting disables its default."""

StackOutputs = Callable[[str], Mapping[str, Value]]
"""Outputs of another stack by its full name, `organization/project/stack`. Raises UserError when nobody knows it."""


class Monitor:
    """Answers the SDK's calls; they arrive from worker threads and may block while a step is carried out."""

    def __init__(
        self, evaluation: Evaluation, *, stack_outputs: StackOutputs, disabled_default_providers: tuple[str, ...] = ()
    ):
        self._evaluation = evaluation
        self._stack_outputs = stack_outputs
        self._disabled = disabled_default_providers
        self._default_lock = threading.Lock()
        self._packages: dict[str, tuple[str, str]] = {}

    # Registrations

    def RegisterResource(self, request: Any) -> rp.RegisterResourceResponse:
        goal = resource_of(request, self._evaluation.project, self._evaluation.stack)
        try:
            self._refuse_unsupported(request)
            goal = self._with_provider(goal, request)
        except StepRefused as refusal:
            self._evaluation.refuse(goal, refusal)
            return rp.RegisterResourceResponse(urn=goal.urn, result=rp.FAIL)
        result = self._evaluation.register(goal, alias_specs(request))
        if result is None:
            return rp.RegisterResourceResponse(urn=goal.urn, result=rp.FAIL)
        response = rp.RegisterResourceResponse(urn=result.urn, object=encode(result.outputs), result=rp.SUCCESS)
        if result.custom:
            response.id = result.id
        return response

    def RegisterResourceOutputs(self, request: Any) -> empty_pb2.Empty:
        self._evaluation.register_outputs(request.urn, decode(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> rp.ReadResourceResponse:
        urn = make_urn(self._evaluation.project, self._evaluation.stack, request.type, request.name, request.parent)
        if request.type != STACK_REFERENCE_TYPE:
            raise StepRefused(
                f"the program reads {request.type} «{request.name}», but it may look nothing up: "
                "name the facts in the stack file, `stackyard preflight` checks them"
            )
        inputs = decode(request.properties)
        outputs = self._referenced(str(inputs.get("name", request.name)))
        resource = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            external=True,
            id=request.id,
            inputs=inputs,
            outputs=outputs,
            parent=request.parent,
            provider=request.provider or self._default_provider(BUILT_IN, request),
        )
        self._evaluation.read(resource)
        return rp.ReadResourceResponse(urn=urn, id=request.id, properties=encode(outputs))

    def _referenced(self, name: str) -> dict[str, Value]:
        outputs = self._stack_outputs(name)
        secret = sorted(key for key, value in outputs.items() if isinstance(value, Secret))
        return {"name": name, "outputs": dict(outputs), "secretOutputNames": secret}

    def Invoke(self, request: Any) -> rp.ResourceInvokeResponse:
        raise StepRefused(
            f"the program calls {request.tok}, but it may look nothing up: "
            "name the facts in the stack file, `stackyard preflight` checks them"
        )

    Call = Invoke

    def _refuse_unsupported(self, request: Any) -> None:
        unsupported = {
            "hooks": request.hooks.ByteSize() > 0,
            "transforms": bool(request.transforms),
            "import": bool(request.importId),
            "remote components": request.remote,
            "replace_with": bool(request.replace_with),
        }
        for what, used in unsupported.items():
            if used:
                raise StepRefused(
                    f"«{request.name}» ({request.type}) uses {what}, which Stackyard does not evaluate itself: "
                    "use it with the Pulumi CLI, or leave it out"
                )

    # Providers

    def _with_provider(self, goal: Resource, request: Any) -> Resource:
        if goal.is_provider:
            version = request.version or self._package_version(request)
            inputs = {**goal.inputs, "__internal": {}, **({"version": version} if version else {})}
            return replace(goal, inputs=inputs)
        if not goal.custom or goal.provider or goal.type.startswith("pulumi:"):
            return goal
        package = goal.type.partition(":")[0]
        if "*" in self._disabled or package in self._disabled:
            raise StepRefused(
                f"Default provider for '{package}' disabled. '{goal.type}' must use an explicit provider."
            )
        return replace(goal, provider=self._default_provider(package, request))

    def _default_provider(self, package: str, request: Any) -> str:
        version = "" if package == BUILT_IN else request.version or self._package_version(request)
        suffix = f"_{version}".replace(".", "_").replace("-", "_").replace("+", "_") if version else ""
        type_, name = f"{PROVIDER_PREFIX}{package}", f"default{suffix}"
        urn = make_urn(self._evaluation.project, self._evaluation.stack, type_, name)
        with self._default_lock:
            known = self._evaluation.known(urn)
            if known is None:
                inputs = {} if package == BUILT_IN else {"__internal": {}, **({"version": version} if version else {})}
                known = self._evaluation.register(Resource(urn=urn, type=type_, name=name, inputs=inputs), ())
        return f"{urn}::{known.id if known else stable_uuid(urn)}"

    def _package_version(self, request: Any) -> str:
        return self._packages.get(request.packageRef, ("", ""))[1]

    # The rest of the protocol

    def RegisterPackage(self, request: Any) -> rp.RegisterPackageResponse:
        reference = f"{request.name}@{request.version}"
        self._packages[reference] = (request.name, request.version)
        return rp.RegisterPackageResponse(ref=reference)

    def GetDeploymentInfo(self, request: Any) -> Any:
        return rp.DeploymentInfo(supportedFeatures=FEATURES)

    def SupportsFeature(self, request: Any) -> rp.SupportsFeatureResponse:
        return rp.SupportsFeatureResponse(hasSupport=request.id in ("secrets", "resourceReferences", "outputValues"))

    def RegisterStackTransform(self, request: Any) -> empty_pb2.Empty:
        raise UserError("stack transforms are not carried out by Stackyard's own evaluation: use the Pulumi CLI")

    RegisterStackInvokeTransform = RegisterStackTransform

    def SignalAndWaitForShutdown(self, request: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()
