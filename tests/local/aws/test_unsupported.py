"""The frozen list of what the emulator lacks is right; a newer emulator that has caught up makes these tests fail."""

from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, StructureShape
from botocore.parsers import ResponseParserError

from stackyard.local.aws import unsupported
from stackyard.local.aws.clients import Clients
from stackyard.local.aws.shapes import entry_of, input_of, members_of, required_of
from tests.local.aws.support import REGION, Cloud

pytestmark = pytest.mark.local

# What «no such call» looks like: 404 pages for EKS, 500 pages for the others, a plain sentence for the JSON services.
NOT_IMPLEMENTED = ("404", "500", "InternalFailure", "NotImplemented", "UnknownOperation")


def example(shape: Any) -> Any:
    """A value that the model accepts, just large enough."""
    match shape:
        case StructureShape():
            return {name: example(members_of(shape)[name]) for name in required_of(shape)}
        case ListShape():
            return [example(entry_of(shape))]
        case MapShape():
            return {}
        case _ if getattr(shape, "enum", None):
            return shape.enum[0]
        case _ if shape.type_name == "boolean":
            return True
        case _ if shape.type_name in ("integer", "long"):
            return shape.metadata.get("min", 1)
        case _:
            return "arn:aws:iam::123456789012:role/example"


@pytest.mark.parametrize("name", sorted(unsupported.OPERATIONS))
def test_the_emulator_still_lacks_the_operation(endpoint: str, name: str):
    service, operation = name.split(":")
    clients = Clients(endpoint)
    shape = input_of(clients.operation(service, operation))
    with pytest.raises((ClientError, ResponseParserError)) as caught:
        getattr(clients.client(service, REGION), xform_name(operation))(**example(shape))
    if isinstance(caught.value, ClientError):
        code = caught.value.response["Error"]["Code"]
        status = caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
        page = "<html" in str(caught.value).lower() or "not been implemented" in str(caught.value)
        assert code in NOT_IMPLEMENTED or page or status == 500, f"{name} answers {code}: has the emulator caught up?"


def test_node_groups_still_cannot_be_tagged(endpoint: str):
    arn = "arn:aws:eks:eu-central-1:123456789012:nodegroup/c/n/1"
    with pytest.raises(ClientError, match="not found"):
        Clients(endpoint).client("eks", REGION).tag_resource(resourceArn=arn, tags={"a": "b"})


def test_budgets_still_cannot_be_tagged(endpoint: str):
    arn = "arn:aws:budgets::123456789012:budget/monthly"
    with pytest.raises((ClientError, ResponseParserError)):
        Clients(endpoint).client("budgets", REGION).tag_resource(
            ResourceARN=arn, ResourceTags=[{"Key": "a", "Value": "b"}]
        )


def test_a_recorded_resource_is_validated_kept_and_forgotten(cloud: Cloud):
    made = cloud.make(
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        clusterName="c",
        namespace="mlflow",
        serviceAccount="mlflow",
        roleArn="arn:aws:iam::123456789012:role/a",
    )
    assert made.applied.recorded
    assert made.outputs["associationArn"] == f"arn:aws:eks:eu-central-1:123456789012:podidentityassociation/c/{made.id}"
    changed = cloud.change(made, roleArn="arn:aws:iam::123456789012:role/b")
    assert changed.applied.recorded
    assert changed.outputs["roleArn"] == "arn:aws:iam::123456789012:role/b"
    assert changed.id == made.id, "recorded ids are derived, always the same"
    assert cloud.read(changed) == changed.outputs
    cloud.remove(changed)
