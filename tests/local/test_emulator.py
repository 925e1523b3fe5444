"""The emulator's process: one per environment and checkout, never mistaken for another, counted."""

import json
import os
import signal
import socket
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from stackyard.errors import InvalidInput, UserError
from stackyard.local import emulator, safety
from stackyard.local.places import Places, find_root
from stackyard.local.server import operation
from tests.waiting import eventually


@pytest.fixture
def places(tmp_path):
    places = Places(tmp_path, "local")
    yield places
    emulator.stop(places)


def request(method="GET", path="/", query="", service="ec2", body=b"", **headers):
    form = {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"} if body else {}
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=k/20261124/us-east-1/{service}/aws4_request, x",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        **form,
        **headers,
    }


@pytest.mark.parametrize(
    ("environ", "name", "mutating"),
    [
        (request("POST", body=b"Action=DescribeVpcs&Version=1"), "ec2:DescribeVpcs", False),
        (request("POST", body=b"Action=CreateVpc&Version=1"), "ec2:CreateVpc", True),
        (request("POST", service="sts", body=b"Version=1&Action=AssumeRole"), "sts:AssumeRole", False),
        (request("POST", service="kms", HTTP_X_AMZ_TARGET="TrentService.CreateKey"), "kms:CreateKey", True),
        (request("POST", service="kms", HTTP_X_AMZ_TARGET="TrentService.ListKeys"), "kms:ListKeys", False),
        (
            request("POST", "/service/GraniteV/operation/PutMetricAlarm", service="monitoring"),
            "monitoring:PutMetricAlarm",
            True,
        ),
        (request("GET", "/b", "versioning", service="s3"), "s3:GET bucket?versioning", False),
        (request("PUT", "/b/a/key", service="s3"), "s3:PUT object", True),
        (request("POST", "/b", "delete", service="s3"), "s3:POST bucket?delete", True),
        (request("GET", "/clusters", service="eks"), "eks:GET /clusters", False),
        (request("DELETE", "/clusters/c", service="eks"), "eks:DELETE /clusters/c", True),
    ],
)
def test_every_protocol_tells_reads_from_changes(environ, name, mutating):
    assert operation(environ) == (name, mutating)


def test_a_form_that_was_read_for_its_action_is_still_there_for_moto():
    environ = request("POST", body=b"Action=CreateVpc&CidrBlock=10.0.0.0/16")
    operation(environ)
    assert environ["wsgi.input"].read() == b"Action=CreateVpc&CidrBlock=10.0.0.0/16"


def test_two_checkouts_and_two_environments_have_their_own_ports(tmp_path):
    everywhere = [Places(tmp_path / checkout, env) for checkout in ("a", "b") for env in ("local", "dev")]
    assert len({places.owner for places in everywhere}) == 4
    ports = [emulator.default_port(places) for places in everywhere]
    assert ports == [emulator.default_port(places) for places in everywhere]
    # Two of 9,000 may be equal by chance; then the second emulator takes a free one, as the test below shows.
    assert len(set(ports)) > 1
    assert all(emulator.FIRST_PORT <= port < emulator.FIRST_PORT + emulator.PORTS for port in ports)


def test_the_checkout_is_found_from_any_folder_below_it(tmp_path):
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_root(tmp_path / "a" / "b") == tmp_path.resolve()


def test_outside_of_a_checkout_the_error_names_the_folder_and_the_missing_file(tmp_path):
    with pytest.raises(InvalidInput, match=r"is not inside a Stackyard checkout.*Pulumi.yaml"):
        find_root(tmp_path)


def test_stop_never_ends_a_process_that_was_given_the_emulators_number(places):
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        places.folder.mkdir(parents=True)
        record = emulator.Record(bystander.pid, port=1, started="another time", owner=places.owner)
        emulator.write_record(places.emulator_record, record)
        assert emulator.running(places) is None
        assert emulator.stop(places) is False
        assert bystander.poll() is None, "a process that only has the same id was ended"
    finally:
        bystander.kill()
        bystander.wait()


def test_a_copied_stackyard_folder_does_not_claim_the_other_checkouts_emulator(places, tmp_path):
    places.folder.mkdir(parents=True)
    own = emulator.Record(
        os.getpid(), 1, emulator.started_at(os.getpid()) or "", Places(tmp_path / "other", "local").owner
    )
    emulator.write_record(places.emulator_record, own)
    assert emulator.running(places) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_record_counts_as_no_emulator(places, damage):
    places.folder.mkdir(parents=True)
    places.emulator_record.write_text(damage)
    assert emulator.running(places) is None


def test_a_record_that_another_user_left_is_not_taken_for_no_emulator(places, mocker):
    read = mocker.patch.object(Path, "read_text", side_effect=PermissionError(13, "Permission denied"))
    with pytest.raises(PermissionError):
        emulator.running(places)
    mocker.stop(read)


def test_an_emulator_of_another_user_is_named_with_the_way_to_end_it(places, mocker):
    theirs = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    places.folder.mkdir(parents=True)
    record = emulator.Record(theirs.pid, 1, emulator.started_at(theirs.pid) or "", places.owner)
    emulator.write_record(places.emulator_record, record)
    kill = mocker.patch("os.kill", side_effect=PermissionError(1, "Operation not permitted"))
    try:
        with pytest.raises(UserError, match=rf"started by another user.*sudo kill {theirs.pid}"):
            emulator.stop(places)
    finally:
        mocker.stop(kill)
        theirs.kill()
        theirs.wait()


def test_without_moto_the_error_names_the_command_that_installs_it(places, mocker):
    mocker.patch("importlib.util.find_spec", return_value=None)
    with pytest.raises(UserError, match=r"package moto.*make up"):
        emulator.start(places)


def test_a_server_that_dies_at_its_start_is_reported_with_the_end_of_its_log(places, mocker):
    mocker.patch.object(
        emulator, "_server_environment", return_value={"PYTHONPATH": "/nonexistent", "HOME": "/nonexistent"}
    )
    mocker.patch.object(emulator, "IDENTITY_PATH", "/x")
    mocker.patch.object(sys, "executable", "/bin/false")
    with pytest.raises(UserError, match=r"ended while it started .exit status 1.*log"):
        emulator.start(places)


@pytest.mark.local
def test_a_started_emulator_is_found_again_until_it_is_stopped(places):
    first = emulator.start(places)
    assert first.started
    assert (first.endpoint, first.note) == (f"http://127.0.0.1:{emulator.default_port(places)}", "")
    again = emulator.start(places)
    assert (again.pid, again.endpoint, again.started) == (first.pid, first.endpoint, False)
    assert places.emulator_pid.read_text() == f"{first.pid}\n"
    assert os.getsid(first.pid) == first.pid, "a closed terminal would take it along"
    assert emulator.stop(places) is True
    assert emulator.identity(first.endpoint) is None
    assert emulator.stop(places) is False


@pytest.mark.local
def test_an_emulator_that_was_killed_is_started_again_and_says_that_it_is_empty(places):
    first = emulator.start(places)
    emulator.mark(first.endpoint, "state-1")
    assert emulator.marker(first.endpoint) == "state-1"
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: not emulator.running(places), "the killed emulator is gone")
    second = emulator.start(places)
    assert second.started
    assert second.pid != first.pid
    assert emulator.marker(second.endpoint) is None


@pytest.mark.local
def test_a_port_that_somebody_else_has_is_left_to_them_and_the_note_says_so(places):
    port = emulator.default_port(places)
    with socket.create_server(("127.0.0.1", port)):
        started = emulator.start(places)
    assert started.endpoint != f"http://127.0.0.1:{port}"
    assert f"Port {port} is taken" in started.note
    answer = emulator.identity(started.endpoint)
    assert answer is not None
    assert answer["owner"] == places.owner


@pytest.mark.local
def test_an_emulator_whose_record_was_deleted_is_adopted_and_can_be_stopped(places):
    first = emulator.start(places)
    places.emulator_record.unlink()
    assert emulator.running(places) is None
    adopted = emulator.start(places)
    assert (adopted.pid, adopted.started) == (first.pid, False)
    assert json.loads(places.emulator_record.read_text())["pid"] == first.pid
    assert emulator.stop(places) is True


@pytest.mark.local
def test_changes_are_counted_at_the_server_and_reads_are_not_changes(places):
    endpoint = emulator.start(places).endpoint
    s3 = safety.client("s3", endpoint=endpoint)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="a/b", Body=b"1")
    safety.client("sqs", endpoint=endpoint).create_queue(QueueName="q")
    assert emulator.requests(endpoint).mutating == {"s3:PUT bucket": 1, "s3:PUT object": 1, "sqs:CreateQueue": 1}
    emulator.reset_requests(endpoint)
    s3.list_objects_v2(Bucket="bucket")
    safety.client("ec2", endpoint=endpoint).describe_vpcs()
    counted = emulator.requests(endpoint)
    assert (counted.mutations, counted.reads) == (0, 2)


@pytest.mark.local
def test_a_bucket_that_demands_tls_stays_open_to_the_emulators_plain_http(places):
    s3 = safety.client("s3", endpoint=emulator.start(places).endpoint)
    s3.create_bucket(Bucket="bucket")
    everything = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": ["arn:aws:s3:::bucket/*"]}

    def apply(statement):
        s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    apply(everything | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    s3.put_object(Bucket="bucket", Key="k", Body=b"1")
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"1"
    apply(everything)
    with pytest.raises(s3.exceptions.ClientError, match=r"Forbidden|AccessDenied"):
        s3.get_object(Bucket="bucket", Key="k")


@pytest.mark.local
def test_the_emulator_listens_on_loopback_only_and_has_none_of_the_callers_environment(places, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real key")
    started = emulator.start(places)
    environ = Path(f"/proc/{started.pid}/environ")
    if not environ.exists():
        pytest.skip("the check reads /proc, which this system does not have")
    assert b"a real key" not in environ.read_bytes()
    port = int(started.endpoint.rpartition(":")[2])
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [row.split()[1] for row in rows if row.split()[3] == "0A" and row.split()[1].endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"]
