"""Databases: what protects one, what a deleted one leaves behind, and what changes in a parameter group."""

import pytest

from stackyard.local.aws.errors import ProviderError
from stackyard.local.aws.rows.databases import parameter_changes
from tests.local.aws.support import Cloud, Made


def protected(cloud: Cloud, name: str) -> Made:
    return cloud.make(
        "aws:rds/instance:Instance",
        name,
        identifier=name,
        engine="postgres",
        instanceClass="db.t4g.micro",
        allocatedStorage=20,
        username="tracking_owner",
        manageMasterUserPassword=True,
        deletionProtection=True,
        finalSnapshotIdentifier=f"{name}-final",
    )


@pytest.mark.local
def test_a_protected_database_goes_only_by_a_destroy_that_takes_the_data_along(cloud: Cloud):
    # control 72
    made = protected(cloud, "guarded")
    with pytest.raises(ProviderError, match="protected"):
        cloud.remove(made)
    forced = Made(made.type, made.urn, made.inputs | {"forceDestroy": True}, made.applied)
    cloud.remove(forced)
    assert cloud.read(made) is None
    rds = cloud.boto("rds")
    (snapshot,) = rds.describe_db_snapshots(SnapshotType="manual", DBSnapshotIdentifier="guarded-final")["DBSnapshots"]
    rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])


def test_only_changed_parameters_are_set_and_gone_ones_get_their_default():
    ssl, ddl, every = (
        {"name": n, "value": v} for n, v in (("rds.force_ssl", "1"), ("log_statement", "ddl"), ("x", "1"))
    )
    changes = parameter_changes({"parameters": [ssl, ddl, every]}, {"parameters": [ssl, {**ddl, "value": "all"}]})
    assert {op.name: [p["ParameterName"] for p in op.params["Parameters"]] for op in changes} == {
        "ModifyDBParameterGroup": ["log_statement"],
        "ResetDBParameterGroup": ["x"],
    }
    assert parameter_changes({"parameters": [ssl]}, {"parameters": [ssl]}) == []
