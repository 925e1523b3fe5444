"""What neither the recorded cases nor our components use is refused with a sentence, not evaluated otherwise."""

import pulumi
import pulumi_aws as aws
import pytest
from pulumi import ResourceHook, ResourceHookBinding, ResourceOptions

from stackyard.errors import UserError
from stackyard.program.run import capture_callable


def topic(**options):
    provider = aws.Provider("aws", region="us-east-1")
    aws.sns.Topic("alarms", opts=ResourceOptions(provider=provider, **options))


def looked_up():
    provider = aws.Provider("aws", region="us-east-1")
    aws.sns.Topic.get("alarms", "arn:aws:sns:us-east-1:123456789012:alarms", opts=ResourceOptions(provider=provider))


def invoked():
    provider = aws.Provider("aws", region="us-east-1")
    aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=provider))


def hooked():
    hook = ResourceHook("note", lambda args: None)
    topic(hooks=ResourceHookBinding(after_create=[hook]))


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (lambda: topic(import_="arn:aws:sns:us-east-1:123456789012:alarms"), "uses import"),
        (lambda: topic(transforms=[lambda args: None]), "transforms"),
        (hooked, "hooks"),
        (looked_up, "may look nothing up"),
        (invoked, "may look nothing up"),
    ],
    ids=["import", "transforms", "hooks", "get", "invoke"],
)
def test_what_we_do_not_evaluate_is_refused_with_a_sentence(program, says):
    with pytest.raises(UserError, match=says):
        capture_callable(program)


def test_the_same_program_without_them_is_captured():
    assert capture_callable(topic).named("alarms")
