"""Programs are evaluated to their end, whatever waits for what; and what they raise keeps the calls that led there."""

import asyncio
import traceback

import pulumi
import pulumi_aws as aws
import pytest
from pulumi import Output, ResourceOptions

from stackyard.errors import UserError
from stackyard.program.run import capture_callable


def topic(name, **arguments):
    options = ResourceOptions(provider=aws.Provider(f"{name}-provider", region="us-east-1"))
    return aws.sns.Topic(name, opts=options, **arguments)


def test_outputs_that_make_further_outputs_and_resources_are_waited_for():
    def program():
        more = topic("first").arn.apply(lambda arn: topic("second", display_name=arn).arn)
        pulumi.export("name", more.apply(lambda arn: Output.from_input(arn).apply(lambda arn: arn.rpartition(":")[0])))

    deployment = capture_callable(program)
    assert deployment.named("second").inputs["displayName"] == deployment.named("first").outputs["arn"]
    assert deployment.outputs["name"] == "arn:aws:sns:us-east-1:123456789012"


def test_a_coroutine_is_a_program():
    async def program():
        await asyncio.sleep(0)
        topic("first")

    assert capture_callable(program).named("first")


def test_outputs_may_wait_for_what_begins_after_the_program():
    def program():
        later = asyncio.get_event_loop().create_future()
        topic("first", display_name=Output.from_input(later))

        async def main():
            later.set_result("set at last")

        pulumi.run(main)

    assert capture_callable(program).named("first").inputs["displayName"] == "set at last"


def test_one_failed_output_ends_the_run_and_the_next_run_knows_nothing_of_it():
    def program():
        topic("first").arn.apply(lambda arn: 1 / 0)
        topic("second")

    with pytest.raises(ZeroDivisionError):
        capture_callable(program)
    assert capture_callable(lambda: topic("first") and None).named("first")


def test_what_a_program_raises_shows_the_calls_that_led_there():
    def program():
        helper()

    def helper():
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted") as raised:
        capture_callable(program)
    shown = "".join(traceback.format_exception(raised.value))
    assert "in program" in shown and "in helper" in shown


def test_a_user_error_of_an_output_is_told_as_one():
    def refuse(arn):
        raise UserError("the topic is closed")

    with pytest.raises(UserError, match="the topic is closed"):
        capture_callable(lambda: topic("first").arn.apply(refuse) and None)


def failing():
    return topic("first").arn.apply(lambda arn: {}["planted"])


@pytest.mark.parametrize(
    "program",
    [failing, lambda: topic("second", display_name=failing()), lambda: pulumi.export("x", failing())],
    ids=["alone", "input", "export"],
)
def test_what_an_output_raises_ends_the_run_wherever_the_output_goes(program):
    with pytest.raises((KeyError, ValueError), match="planted"):
        capture_callable(lambda: program() and None)


def test_a_cancelled_output_ends_the_run():
    def program():
        later = asyncio.get_event_loop().create_future()
        topic("first", display_name=Output.from_input(later))
        asyncio.get_event_loop().call_later(0.05, later.cancel)

    with pytest.raises(asyncio.CancelledError):
        capture_callable(program)


def test_exports_are_closed_when_the_program_has_ended():
    def late(arn):
        pulumi.export("late", arn)
        return arn

    assert capture_callable(lambda: topic("first").arn.apply(late) and None).outputs == {}


def test_a_program_prints_whole_tracebacks():
    shown = []

    def program():
        topic("first")
        try:
            raise ValueError("caught")
        except ValueError:
            shown.append(traceback.format_exc())

    capture_callable(program)
    assert 'raise ValueError("caught")' in shown[0]
