"""The file that brings retained data back under the CLI: provider, components and resources, in that order."""

from stackyard.local.destroy import keep
from stackyard.program.imports import import_file
from tests.stack_captures import stack_capture


def test_every_entry_names_what_the_cli_needs_and_nothing_comes_before_what_it_refers_to():
    deployment = stack_capture("dev")
    entries = import_file(deployment, keep(deployment))["resources"]
    assert entries[0]["type"] == "pulumi:providers:aws" and entries[0]["inputs"]["region"] == "us-east-1"
    known: set[str] = set()
    for entry in entries:
        assert entry.get("parent", "") in {"", *known}, f"{entry['name']} comes before its parent"
        assert entry.get("provider", "") in {"", *known}, f"{entry['name']} comes before its provider"
        known.add(entry["name"])
    bucket = next(entry for entry in entries if entry["name"] == "data-bucket")
    assert bucket["parent"] == "data" and bucket["version"] == entries[0]["inputs"]["version"]


def test_what_goes_is_not_in_the_file():
    deployment = stack_capture("dev")
    types = {entry["type"] for entry in import_file(deployment, keep(deployment))["resources"]}
    assert "aws:s3/bucket:Bucket" in types and "aws:ec2/vpc:Vpc" not in types
