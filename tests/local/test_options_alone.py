"""An `up` that changes no resource keeps what the program says of it: options, and names it has taken over."""

import io

import pytest
from rich.console import Console

from stackyard.local import emulator
from stackyard.local.up import up
from stackyard.program import state
from stackyard.program.values import has_unknown
from tests.local.small_project import STACK, Project

pytestmark = pytest.mark.local

PROGRAM = """
import pulumi
import pulumi_aws as aws


class News(pulumi.ComponentResource):
    def __init__(self, topic):
        super().__init__("test:news:News", "{name}", opts=pulumi.ResourceOptions({options}))
        # Absent from the answers of AWS, and so unknown to a plan.
        self.register_outputs({{"key": topic.kms_master_key_id}})


provider = aws.Provider("aws", region="us-east-1")
aws.sns.Topic("first", display_name="one", opts=pulumi.ResourceOptions(provider=provider))
topic = aws.sns.Topic("{name}", name="news", opts=pulumi.ResourceOptions(provider=provider, {options}))
News(topic)
"""


@pytest.fixture
def project(tmp_path):
    project = Project.make(tmp_path / "project")
    yield project
    project.stop()


def provisioned(project: Project, name: str, options: str = ""):
    """What is printed, and the topic as the state has it."""
    program = PROGRAM.format(name=name, options=options)
    (project.root / "stacks" / "__main__.py").write_text(program, encoding="utf-8")
    console = Console(file=io.StringIO(), width=1000)
    up(project.root, STACK, console)
    deployment = state.read(project.state_file)
    assert deployment and isinstance(console.file, io.StringIO)
    assert not any(has_unknown(resource.outputs) for resource in deployment), "a plan's outputs are no state's"
    return console.file.getvalue(), deployment.named(name, "aws:sns/topic:Topic")


def test_options_and_renames_without_a_change_are_in_the_state_and_nothing_is_called(project):
    _, bare = provisioned(project, "topic")
    emulator.reset_requests(project.endpoint())

    said, topic = provisioned(project, "topic", "protect=True, retain_on_delete=True")
    assert "no changes" in said and topic.protect and topic.retain_on_delete, "a destroy has to leave it"
    before, backups = project.state_file.read_bytes(), state.backups(project.state_file)
    provisioned(project, "topic", "protect=True, retain_on_delete=True")
    assert project.state_file.read_bytes() == before and state.backups(project.state_file) == backups

    _, topic = provisioned(project, "topic")
    assert not topic.protect, "our message says that this is how a protected resource may go"

    said, topic = provisioned(project, "news", 'aliases=[pulumi.Alias(name="topic")]')
    assert "no changes" in said and topic.urn != bare.urn and topic.id == bare.id
    said, topic = provisioned(project, "news")
    assert "no changes" in said and topic.id == bare.id, "the alias has served"
    assert emulator.requests(project.endpoint()).mutating == {}
