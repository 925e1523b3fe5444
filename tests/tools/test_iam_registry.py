"""docs/iam.md on the model registry: who connects to its database, and what its server reaches."""

import pytest

from tests.tools.test_iam_table import ENVIRONMENTS, of
from tools.access_levels import Level


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_registrys_server_reaches_its_database_user_and_its_prefix_and_nothing_else(name):  # controls 73, 92
    own = {(a.thing, a.level) for a in of(name).access if a.principal == "model-registry-role" and not a.through}
    things = ("tracking-instance: as mlflow", "data-bucket: mlflow/*", "data-key")
    assert own == {(thing, level) for thing in things for level in (Level.READ, Level.WRITE)}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nobody_else_connects_to_the_database(name):  # control 73
    connecting = {(a.principal, a.thing) for a in of(name).access if "tracking-instance" in a.thing and not a.through}
    assert connecting == {("model-registry-role", "tracking-instance: as mlflow")}
    assert not [a for a in of(name).access if "rds-db" in a.thing or a.thing == "every database"]
