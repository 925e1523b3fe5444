"""What is left in EC2: found by tags, each with the command that removes it, which the AWS CLI's own models accept."""

import shlex

import pytest

from stackyard.drain.command import OPERATIONS
from stackyard.drain.leftovers import Leftover, leftovers, settled
from stackyard.preflight.account import Account
from tests.preflight.targets import REGION, Script

STEM = "acme-dev"
OWN = [
    {"Name": "tag:kubernetes.io/cluster/acme-dev", "Values": ["owned"]},
    {"Name": "tag-key", "Values": ["karpenter.sh/nodepool"]},
]
NETWORK = [{"Name": "tag:cluster.k8s.amazonaws.com/name", "Values": [STEM]}]
STATES = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
AVAILABLE = {"Name": "status", "Values": ["available"]}
TAGS = [{"Key": "karpenter.sh/nodepool", "Value": "gpu"}, {"Key": "stackyard:pool", "Value": "gpu"}]


def instance(id):
    return {"InstanceId": id, "InstanceType": "g5.xlarge", "State": {"Name": "running"}, "Tags": TAGS}


def interface(id):
    return {"NetworkInterfaceId": id, "SubnetId": "subnet-1", "Description": "aws-K8S-i-1"}


def account(*, instances=(), volumes=(), interfaces=(), of_network=()) -> Script:
    script = Script()
    script.answer(
        "ec2", "describe_instances", {"Reservations": [{"Instances": list(instances)}]}, {"Filters": [*OWN, STATES]}
    )
    unused = {"Name": "status", "Values": ["available", "error"]}
    script.answer("ec2", "describe_volumes", {"Volumes": list(volumes)}, {"Filters": [*OWN, unused]})
    for filters, found in ((OWN, interfaces), (NETWORK, of_network)):
        answer = {"NetworkInterfaces": list(found)}
        script.answer("ec2", "describe_network_interfaces", answer, {"Filters": [*filters, AVAILABLE]})
    return script


def found(script, **options):
    asked = Account(script, REGION, operations=OPERATIONS, page="docs/drain.md")
    return leftovers(asked, STEM, REGION, **options)


def test_nothing_left_is_nothing():
    script = account()
    assert found(script) == []
    script.assert_used_up()


def test_what_is_left_is_told_with_the_command_that_removes_it():
    volume = {"VolumeId": "vol-1", "Size": 100, "Tags": TAGS}
    script = account(instances=[instance("i-1")], volumes=[volume], of_network=[interface("eni-1")])
    assert [(left.kind, left.about, left.command) for left in found(script)] == [
        (
            "instance",
            "g5.xlarge, running, pool gpu",
            "aws ec2 terminate-instances --region us-east-1 --instance-ids i-1",
        ),
        ("volume", "100 GB, pool gpu", "aws ec2 delete-volume --region us-east-1 --volume-id vol-1"),
        (
            "network interface",
            "in subnet-1, aws-K8S-i-1",
            "aws ec2 delete-network-interface --region us-east-1 --network-interface-id eni-1",
        ),
    ]


def test_an_interface_with_both_tags_is_told_once():
    assert len(found(account(interfaces=[interface("eni-1")], of_network=[interface("eni-1")]))) == 1


def test_instances_that_stay_for_the_destroy_are_not_left_over():
    script = account(instances=[instance("i-1"), instance("i-2")])
    assert [left.id for left in found(script, kept={"i-1"})] == ["i-2"]


def test_without_the_cluster_what_karpenter_would_have_removed_is_left_too():
    template = {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "karpenter.k8s.aws/123"}
    role = {"RoleName": "acme-dev-node", "Path": "/", "RoleId": "AROA" + "X" * 16, "Arn": "arn:aws:iam::1:role/node"}
    profile = {
        "InstanceProfileName": "acme-dev_42",
        "InstanceProfileId": "AIPA" + "X" * 16,
        "Arn": "arn:aws:iam::111122223333:instance-profile/x",
        "Path": "/karpenter/us-east-1/acme-dev/uid/",
        "CreateDate": "2026-11-28T12:00:00Z",
        "Roles": [{**role, "CreateDate": "2026-11-28T12:00:00Z"}],
    }
    script = account()
    script.answer("ec2", "describe_launch_templates", {"LaunchTemplates": [template]}, {"Filters": OWN})
    script.answer(
        "iam",
        "list_instance_profiles",
        {"InstanceProfiles": [profile], "IsTruncated": False},
        {"PathPrefix": "/karpenter/us-east-1/acme-dev/"},
    )
    assert [left.command for left in found(script, cluster_gone=True)] == [
        "aws ec2 delete-launch-template --region us-east-1 --launch-template-id lt-1",
        "aws iam remove-role-from-instance-profile --instance-profile-name acme-dev_42 --role-name acme-dev-node"
        " && aws iam delete-instance-profile --instance-profile-name acme-dev_42",
    ]
    script.assert_used_up()


def parameters(command):
    """Service, operation and parameters of a command, as the AWS CLI derives them from botocore's models."""
    words = shlex.split(command)
    assert words[0] == "aws"
    options = dict(zip(words[3::2], words[4::2], strict=True))
    options.pop("--region", None)
    return words[1], words[2], options


@pytest.mark.parametrize(
    "command",
    [
        "aws ec2 terminate-instances --region us-east-1 --instance-ids i-1",
        "aws ec2 delete-volume --region us-east-1 --volume-id vol-1",
        "aws ec2 delete-network-interface --region us-east-1 --network-interface-id eni-1",
        "aws ec2 delete-launch-template --region us-east-1 --launch-template-id lt-1",
        "aws iam remove-role-from-instance-profile --instance-profile-name p --role-name r",
        "aws iam delete-instance-profile --instance-profile-name p",
    ],
)
def test_the_commands_are_those_of_the_aws_cli(command):
    from botocore import xform_name

    service, operation, options = parameters(command)
    model = Script()(service, REGION).meta.service_model
    known = {xform_name(name, "-"): name for name in model.operation_names}
    members = {f"--{xform_name(name, '-')}" for name in model.operation_model(known[operation]).input_shape.members}
    assert options.keys() <= members


def test_what_goes_a_moment_later_is_not_told():
    volume = Leftover(kind="volume", id="vol-1", about="", command="")
    answers, now = [[volume], [volume], []], [0.0]

    def wait():
        now[0] += 3

    assert settled(lambda: answers.pop(0), wait=wait, monotonic=lambda: now[0], for_s=60) == []
    assert settled(lambda: [volume], wait=wait, monotonic=lambda: now[0], for_s=60) == [volume] and now[0] > 60
