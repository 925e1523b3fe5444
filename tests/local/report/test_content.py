"""What the report gathers: components with their resources, outputs without secrets, facts about security."""

import json
from dataclasses import replace

import pytest

from stackyard.local.places import Places
from stackyard.local.report.content import collect, components_of
from stackyard.local.report.render import render, write_report
from stackyard.local.report.stack_facts import buckets_of, security_facts
from stackyard.program import state
from stackyard.program.deployment import STACK_TYPE, Deployment, Resource, make_urn
from stackyard.program.values import Secret
from tests.local.checkouts import ROOT
from tests.local.report.contents import pipeline_run

STACK_URN = make_urn("stackyard", "local", STACK_TYPE, "stackyard-local")
STACK_FILE = ROOT / "stacks" / "Pulumi.local.yaml"


def resource(type_, name, parent="", **fields):
    urn = make_urn("stackyard", "local", type_, name, parent)
    return Resource(urn=urn, type=type_, name=name, parent=parent or STACK_URN, **fields)


def component(kind, name, parent=""):
    return resource(f"stackyard:index:{kind}", name, parent, custom=False)


def deployment(*resources, **fields):
    stack = Resource(urn=STACK_URN, type=STACK_TYPE, name="stackyard-local", custom=False)
    return Deployment(project="stackyard", stack="local", resources=(stack, *resources), **fields)


def fact(facts, what):
    (found,) = [fact for fact in facts if fact.what == what]
    return found


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one stack, of which nothing is provisioned."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: stackyard\nruntime: python\nmain: stacks\nstackConfigDir: stacks\n")
    text = STACK_FILE.read_text(encoding="utf-8").replace("123456789012", "111122223333")
    (tmp_path / "stacks" / STACK_FILE.name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_checkout_in_which_nothing_happened_has_a_report(checkout):
    made = collect(checkout, "local")
    assert (made.stacks, made.absent_stacks, made.run, made.registry.versions) == ((), ("local",), None, ())
    assert (made.account, made.declared_account) == ("123456789012", "111122223333")
    path = write_report(checkout, "local")
    assert path == Places(checkout, "local").report
    assert path.read_text(encoding="utf-8") == render(made)
    assert [p.name for p in path.parent.iterdir() if p.is_file()] == ["report.html"], "it made no database, no state"


def test_a_provisioned_stack_and_a_run_are_gathered(checkout):
    places = Places(checkout, "local")
    bucket = component("DataBucket", "data")
    inside = resource("aws:s3/bucket:Bucket", "data-bucket", bucket.urn, id="acme", outputs={"bucket": "acme"})
    state.write(
        places.state("local"), deployment(bucket, inside, outputs={"vpcId": "vpc-1", "token": Secret("hunter2")})
    )
    pipeline_run().save(places)
    made = collect(checkout, "local")
    assert made.run == pipeline_run()
    assert [(o.name, o.value) for o in made.stacks[0].outputs] == [("token", "[secret]"), ("vpcId", "vpc-1")]
    assert made.buckets[0].folders is None, "no emulator to ask"
    assert "hunter2" not in render(made)
    assert "unknown while the emulator does not run" in render(made)


def test_a_secret_inside_an_output_is_blinded(checkout):
    places = Places(checkout, "local")
    state.write(places.state("local"), deployment(outputs={"database": {"user": "ml", "password": Secret("hunter2")}}))
    (output,) = collect(checkout, "local").stacks[0].outputs
    assert json.loads(output.value) == {"user": "ml", "password": "[secret]"}


def test_a_resource_belongs_to_the_nearest_component_above_it():
    outer = component("Outer", "outer")
    inner = component("Inner", "inner", outer.urn)
    bucket = resource("aws:s3/bucket:Bucket", "bucket", inner.urn, id="b")
    below = resource("aws:s3/bucketPolicy:BucketPolicy", "policy", bucket.urn, recorded=True)
    alone = resource("aws:ec2/vpc:Vpc", "alone")
    provider = resource("pulumi:providers:aws", "aws")
    found = components_of(deployment(outer, inner, bucket, below, alone, provider))
    assert [(c.kind, c.name, [r.name for r in c.resources]) for c in found] == [
        ("Inner", "inner", ["bucket", "policy"]),
        ("Outer", "outer", []),
        ("", "", ["alone"]),
    ], "providers are not counted, what has no component comes last"
    assert (found[0].emulated, found[0].recorded) == (1, 1)


def test_one_open_bucket_among_two_is_not_called_closed():
    closed = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)
    kind = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    buckets = [resource("aws:s3/bucket:Bucket", name) for name in ("a", "b")]
    blocks = [resource(kind, name, inputs=closed) for name in ("a", "b")]
    good = fact(security_facts([*buckets, *blocks]), "Buckets closed to the public")
    assert (good.value, good.good) == ("2 of 2", True)
    for worse in (blocks[:1], [blocks[0], replace(blocks[1], inputs={**closed, "blockPublicAcls": False})]):
        found = fact(security_facts([*buckets, *worse]), "Buckets closed to the public")
        assert (found.value, found.good) == ("1 of 2", False)


@pytest.mark.parametrize(
    ("access", "value", "good"),
    [
        ({"endpointPublicAccess": False}, "only from inside the VPC", True),
        ({"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]}, "public, from 203.0.113.0/24", None),
        ({"endpointPublicAccess": True}, "public, from 0.0.0.0/0", False),
    ],
)
def test_an_api_that_is_open_to_everybody_is_not_called_good(access, value, good):
    cluster = resource("aws:eks/cluster:Cluster", "cluster", inputs={"vpcConfig": access})
    found = fact(security_facts([cluster]), "Kubernetes API of cluster")
    assert (found.value, found.good) == (value, good)


def test_a_kind_that_is_not_there_has_no_fact():
    assert security_facts([]) == ()


def test_what_is_less_strict_than_the_default_is_told_with_its_reason():
    tagged = {"tags": {"stackyard:loosened": "retained: environment protection is none"}}
    keys = [resource("aws:kms/key:Key", name, inputs={**tagged, "enableKeyRotation": True}) for name in ("a", "b")]
    found = fact(security_facts(keys), "Less strict than the default")
    assert found.value == "2 resources: retained: environment protection is none"


def test_a_real_data_buckets_facts_are_all_good(capture):
    from components.data_bucket import DataBucket, DataBucketArgs
    from components.log_bucket import LogBucket, LogBucketArgs
    from tests.components.test_data_bucket import LOCATION

    def buckets():
        logs = LogBucket(
            "logs", LogBucketArgs(location=LOCATION, bucket_name="acme-logs", source_buckets=["acme-data"])
        )
        DataBucket("data", DataBucketArgs(location=LOCATION, bucket_name="acme-data", access_logs=logs))

    made = capture(buckets)
    facts = security_facts(made.resources)
    assert len(facts) == 6
    assert all(found.good for found in facts), facts
    data, logs = buckets_of(made, None)
    assert (data.encryption, data.versioned, data.on_destroy) == ("own KMS key", True, "refused, it is protected")
    assert logs.encryption == "AES256"
    assert logs.receives_logs and not data.receives_logs
