"""What a stack promises to its pipelines: names and addresses, in one typed value.

The stack builds it from its settings (`stacks/`), `bind` writes it into a compiled pipeline, and the steps read it
back from their environment (`Contract.from_environment`). Values that follow from settings are plain strings, so
that a first preview shows them.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from stackyard.errors import InvalidInput

VERSION = 1
ENVIRONMENT_VARIABLE = "STACKYARD_CONTRACT"
"""Environment variable of a pipeline's container that holds the contract as JSON, for that pipeline alone."""

# Kubernetes object names: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# S3 bucket names: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IMAGE = re.compile(r"[\w.:/-]+@sha256:[0-9a-f]{64}")


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value):
        raise ValueError(f"{value!r} is not a bucket name: 3 to 63 of a-z, 0-9, '.' and '-', for example acme-dev-data")
    return value


def _kubernetes_name(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ValueError(f"{value!r} is not a Kubernetes name: at most 63 of a-z, 0-9 and '-', for example pipelines")
    return value


def _pinned_image(value: str) -> str:
    if not _IMAGE.fullmatch(value):
        raise ValueError(f"{value!r} is not an image pinned by digest: a tag can move, write name@sha256:<64 digits>")
    return value


def _one_line(value: str) -> str:
    # A token in a value would be replaced a second time, or be taken for one that was left over.
    if not value or not value.isprintable() or "@{" in value:
        raise ValueError(f"{value!r} must be one line of printable characters without '@{{'")
    return value


Bucket = Annotated[str, AfterValidator(_bucket)]
KubernetesName = Annotated[str, AfterValidator(_kubernetes_name)]
PinnedImage = Annotated[str, AfterValidator(_pinned_image)]
Line = Annotated[str, AfterValidator(_one_line)]


class Contract(BaseModel):
    """Version 1. A field that a stack does not have is None or missing from its mapping, never an empty string."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    bucket: Bucket
    """Bucket of artifacts: code packages, what steps hand to each other, models."""
    data_bucket: Bucket
    """Bucket of data sets."""
    kms_key: Line | None = None
    """Alias or ARN of the key of `data_bucket`; None where the bucket's default encryption is enough."""
    region: Line
    """AWS region of the buckets, for example eu-central-1."""
    namespace: KubernetesName
    """Kubernetes namespace in which pipelines run."""
    queue: KubernetesName | None = None
    """Local queue of Kueue that admits the pods; None: pods start at once."""
    pools: Mapping[str, KubernetesName] = Field(default_factory=dict)
    """Value of the nodes' label `stackyard.dev/pool` by role (`cpu`, `gpu`). A missing role: any node will do."""
    tracking_uri: Line
    """MLflow tracking URI."""
    image: PinnedImage
    """Image in which the steps run, by digest."""
    service_accounts: Mapping[str, KubernetesName] = Field(default_factory=dict)
    """Kubernetes service account by pipeline."""
    s3_endpoint: Line | None = None
    """S3 endpoint of the local stack; None on AWS."""

    def to_json(self) -> str:
        """Same contract, same bytes."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Contract":
        """Raises InvalidInput, naming every field that is wrong."""
        try:
            return parse(json.loads(text))
        except json.JSONDecodeError as error:
            raise InvalidInput(
                f"The contract is not JSON ({error}). The stack writes it, so deploy the stack."
            ) from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Contract":
        """The contract of the container in which a step runs. Raises InvalidInput outside of one."""
        text = (os.environ if environment is None else environment).get(ENVIRONMENT_VARIABLE)
        if not text:
            raise InvalidInput(
                f"{ENVIRONMENT_VARIABLE} is not set: a step learns buckets and addresses from it. "
                "Start the pipeline by `stackyard pipelines run NAME`."
            )
        return cls.from_json(text)


def parse(values: Any) -> Contract:
    """A contract from plain values. Raises InvalidInput, naming every field that is wrong."""
    try:
        return Contract.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'contract'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise InvalidInput(f"The contract between stack and pipelines does not hold: {problems}.") from None
