"""The emulator carries a marked change out once, however often it is asked: the marks, the memory, the two together."""

import io
import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from stackyard.local import emulator, inventory, server
from stackyard.local.attempts import attempt, marks, undoing
from stackyard.local.aws.clients import Clients
from stackyard.local.replies import CALL_HEADER, REPLIES_PATH, UNDO_HEADER, Replies, Reply
from stackyard.local.server import Application

OK = Reply("200 OK", (("X-Made", "1"),), b"made")
REFUSED = Reply("400 Bad Request", (), b"no")
BROKEN = Reply("500 Internal Server Error", (), b"?")
WAIT_S = 10


def counted(*replies: Reply):
    """Something to execute that answers with `replies` in turn and counts how often it was asked."""
    asked: list[Reply] = []

    def execute() -> Reply:
        asked.append(replies[len(asked)])
        return asked[-1]

    return execute, asked


def test_the_same_call_is_carried_out_once_and_answered_alike():
    replies, (execute, asked) = Replies(), counted(OK, OK)

    assert replies.answer("t/CreateVpc/1/1", execute) == (OK, False)
    assert replies.answer("t/CreateVpc/1/1", execute) == (OK, True)

    assert len(asked) == 1
    assert replies.counts() == {"kept": 1, "replayed": 1}


@pytest.mark.parametrize("failed", [REFUSED, BROKEN])
def test_a_call_that_failed_is_carried_out_again(failed: Reply):
    replies, (execute, asked) = Replies(), counted(failed, OK)

    assert replies.answer("t/CreateVpc/1/1", execute) == (failed, False)
    assert replies.answer("t/CreateVpc/1/1", execute) == (OK, False)

    assert len(asked) == 2, "what was refused once may be granted later"


def test_a_call_waits_while_the_same_call_is_being_carried_out():
    replies, begun, go_on = Replies(), threading.Event(), threading.Event()
    answers: list[tuple[Reply, bool]] = []

    def slowly() -> Reply:
        begun.set()
        assert go_on.wait(WAIT_S)
        return OK

    def never() -> Reply:
        raise AssertionError("the second call was carried out beside the first")

    first = threading.Thread(target=lambda: answers.append(replies.answer("t/A/1/1", slowly)))
    first.start()
    assert begun.wait(WAIT_S)
    second = threading.Thread(target=lambda: answers.append(replies.answer("t/A/1/1", never)))
    second.start()
    second.join(0.2)
    assert second.is_alive(), "it was answered before the first one had a result"
    go_on.set()
    first.join(WAIT_S)
    second.join(WAIT_S)

    assert sorted(answers, key=lambda answer: answer[1]) == [(OK, False), (OK, True)]


def test_a_waiting_call_is_carried_out_when_the_first_one_breaks_down():
    replies, begun, go_on = Replies(), threading.Event(), threading.Event()
    answers: list[tuple[Reply, bool]] = []

    def breaks() -> Reply:
        begun.set()
        assert go_on.wait(WAIT_S)
        raise ConnectionError("gone")

    def first() -> None:
        with pytest.raises(ConnectionError):
            replies.answer("t/A/1/1", breaks)

    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert begun.wait(WAIT_S)
    threads.append(threading.Thread(target=lambda: answers.append(replies.answer("t/A/1/1", lambda: OK))))
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(WAIT_S)

    assert answers == [(OK, False)]


def test_the_oldest_reply_goes_when_there_are_too_many():
    replies = Replies(limit=2)
    replies.answer("t/A/1/1", lambda: OK)
    replies.answer("t/B/1/1", lambda: OK)
    replies.answer("t/A/1/1", lambda: OK)
    replies.answer("t/C/1/1", lambda: OK)

    assert replies.answer("t/A/1/1", lambda: OK)[1]
    assert not replies.answer("t/B/1/1", lambda: OK)[1], "B was used longest ago"


def test_a_reset_forgets_also_what_is_being_carried_out():
    replies = Replies()

    def reset_meanwhile() -> Reply:
        replies.clear()
        return OK

    replies.answer("t/A/1/1", reset_meanwhile)

    assert not replies.answer("t/A/1/1", lambda: OK)[1], "what it made went with the reset"


def test_a_step_that_is_taken_back_is_forgotten_its_create_last():
    replies = Replies()
    for call in ("t/CreateKey/1/1", "t/TagKey/2/1", "other/CreateKey/1/1"):
        replies.answer(call, lambda: OK)

    replies.undone("t/CreateKey")
    assert replies.answer("t/CreateKey/1/1", lambda: OK)[1], "it is still there"
    assert not replies.answer("t/TagKey/2/1", lambda: OK)[1]
    replies.undone("t/")
    assert not replies.answer("t/CreateKey/1/1", lambda: OK)[1]
    assert replies.answer("other/CreateKey/1/1", lambda: OK)[1]


# The marks of a step's calls


def test_the_same_step_makes_the_same_marks_and_any_other_makes_others():
    def step(token: str, cidr: str) -> list[str]:
        with attempt(token):
            return [
                marks(name, params)[CALL_HEADER]
                for name, params in (
                    ("CreateVpc", {"CidrBlock": cidr, "Tags": [b"bytes"]}),
                    ("CreateTags", {}),
                    ("CreateTags", {}),
                )
            ]

    first = step("token-1", "10.0.0.0/16")
    assert first == step("token-1", "10.0.0.0/16")
    assert len(set(first)) == 3, "a call that a step makes twice is two calls"
    assert first[0] != step("token-1", "10.1.0.0/16")[0]
    assert set(first).isdisjoint(step("token-2", "10.0.0.0/16"))


def test_calls_outside_of_an_attempt_are_not_marked():
    assert marks("CreateVpc", {}) == {}
    with attempt(""):
        assert marks("CreateVpc", {}) == {}
    with attempt("outer"), attempt("inner"):
        pass
    assert marks("CreateVpc", {}) == {}


def test_calls_of_another_thread_are_not_marked():
    seen: list[dict[str, str]] = []
    with attempt("token"):
        thread = threading.Thread(target=lambda: seen.append(marks("CreateVpc", {})))
        thread.start()
        thread.join(WAIT_S)
    assert seen == [{}]


def test_calls_that_take_back_say_so_instead_of_being_remembered():
    with attempt("token"):
        with undoing("CreateKey", "ScheduleKeyDeletion"):
            assert marks("DisableKey", {}) == {UNDO_HEADER: "token/CreateKey"}
            assert marks("ScheduleKeyDeletion", {}) == {UNDO_HEADER: "token/"}
        assert CALL_HEADER in marks("CreateKey", {})


@pytest.mark.parametrize("token", ["a b", "a/b", "a\r\nX-Injected: 1", "ü"])
def test_a_token_that_would_break_the_header_is_refused(token: str):
    with pytest.raises(ValueError, match="travels in a header"), attempt(token):
        pass


def test_a_mark_does_not_depend_on_the_random_token_that_botocore_fills_in():
    client = Clients("http://127.0.0.1:9").client("ec2", "eu-central-1")
    sent: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        raw = io.BytesIO(b"<CreateNatGatewayResponse/>")
        # botocore reads a response's body through urllib3's stream().
        raw.stream = lambda **_: iter([raw.read()])  # pyright: ignore[reportAttributeAccessIssue]
        return AWSResponse(request.url, 200, {}, raw)

    client.meta.events.register_last("before-send", answer)
    for _ in range(2):
        with attempt("token"):
            client.create_nat_gateway(SubnetId="subnet-1")

    bodies = [request.body for request in sent]
    assert bodies[0] != bodies[1], "botocore no longer fills in ClientToken: the test has lost its point"
    assert sent[0].headers[CALL_HEADER] == sent[1].headers[CALL_HEADER]


# The server


class Backend:
    """A WSGI application that counts what it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked += 1
        environ["wsgi.input"].read()
        start_response("200 OK", [("X-Asked", str(self.asked))])
        return [f"answer {self.asked}".encode()]


def ask(application: Application, method: str, path: str, **headers: str) -> tuple[bytes, io.BytesIO]:
    body = io.BytesIO(b"<Tagging/>")
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": body, "CONTENT_LENGTH": "10", **headers}
    return b"".join(application(environ, lambda status, headers: None)), body


MARKED = {"HTTP_X_STACKYARD_CALL": "token/CreateBucket/1/1"}


def test_the_server_answers_a_marked_change_from_memory_and_counts_it_once():
    backend = Backend()
    application = Application(backend, "owner")

    assert ask(application, "PUT", "/bucket", **MARKED)[0] == b"answer 1"
    again, body = ask(application, "PUT", "/bucket", **MARKED)

    assert again == b"answer 1"
    assert body.read() == b"", "what is left of a request would be taken for the next one on the connection"
    assert b'"mutating": {"s3:PUT bucket": 1}' in ask(application, "GET", emulator.REQUESTS_PATH)[0]
    assert ask(application, "GET", REPLIES_PATH)[0] == b'{"kept": 1, "replayed": 1}'


@pytest.mark.parametrize(("method", "headers"), [("GET", MARKED), ("HEAD", MARKED), ("PUT", {})])
def test_the_server_never_answers_reads_and_unmarked_changes_from_memory(method: str, headers: dict[str, str]):
    application = Application(Backend(), "owner")

    assert [ask(application, method, "/bucket", **headers)[0] for _ in range(2)] == [b"answer 1", b"answer 2"]


@pytest.mark.parametrize(
    "forgetting", [("POST", "/moto-api/reset", {}), ("DELETE", "/bucket", {"HTTP_X_STACKYARD_UNDO": "token/"})]
)
def test_the_server_forgets_what_a_reset_or_an_undo_removed(forgetting: tuple[str, str, dict[str, str]]):
    application = Application(Backend(), "owner")
    method, path, headers = forgetting
    ask(application, "PUT", "/bucket", **MARKED)
    ask(application, method, path, **headers)

    assert ask(application, "PUT", "/bucket", **MARKED)[0] == b"answer 3"


def test_the_server_lets_one_request_at_a_time_into_moto():
    at_work, most = 0, 0

    def backend(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        time.sleep(0.01)
        at_work -= 1
        start_response("200 OK", [])
        return [b""]

    application = Application(backend, "owner")
    marks = [{}, *({"HTTP_X_STACKYARD_CALL": f"token/CreateBucket/1/{number}"} for number in range(3))]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda mark: ask(application, "PUT", "/bucket", **mark), marks * 2))
    assert most == 1


def test_who_waits_for_others_holds_up_nobody(monkeypatch: pytest.MonkeyPatch):
    arrived = threading.Event()

    def backend(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/message":
            arrived.set()
            return [b"sent"]
        return [b"got it" if arrived.wait(WAIT_S) else b"nothing came"]

    application = Application(backend, "owner")
    poll = {"HTTP_X_AMZ_TARGET": "AmazonSQS.ReceiveMessage", "HTTP_AUTHORIZATION": "Credential=k/1/eu-west-1/sqs/aws4"}
    # One that nobody has thought of only costs the others a while.
    monkeypatch.setattr(server, "LONGEST_TURN_S", 0.05)
    for waiting in (poll, {}):
        arrived.clear()
        with ThreadPoolExecutor(1) as pool:
            receiver = pool.submit(ask, application, "PUT", "/receive", **waiting)
            assert ask(application, "PUT", "/message")[0] == b"sent"
            assert receiver.result()[0] == b"got it"


@pytest.mark.local
def test_a_create_that_is_made_again_in_the_same_attempt_gives_the_same_resource(endpoint: str):
    emulator.empty(endpoint)
    emulator.reset_requests(endpoint)
    made: list[str] = []
    for token in ("first", "first", "second"):
        # Another client, as in the process that takes over from a killed one.
        client = Clients(endpoint).client("ec2", "eu-central-1")
        with attempt(token):
            made.append(client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])

    assert made[0] == made[1] != made[2]
    assert emulator.requests(endpoint).mutating == {"ec2:CreateVpc": 2}


@pytest.mark.local
def test_uploads_and_queries_on_one_connection_survive_a_replay(endpoint: str):
    emulator.empty(endpoint)
    s3 = Clients(endpoint).client("s3", "us-east-1")
    s3.create_bucket(Bucket="a-bucket")
    for _ in range(2):
        with attempt("upload"):
            s3.put_object(Bucket="a-bucket", Key="key", Body=b"x" * 300_000)

    listed = s3.list_object_versions(Bucket="a-bucket")["Versions"]
    assert [entry["Size"] for entry in listed] == [300_000]


@pytest.mark.local
@pytest.mark.parametrize(
    ("target", "body"),
    [("PUT /a-bucket/key", b"x" * 5000), ("POST /", b"Action=CreateVpc&CidrBlock=10.0.0.0%2F16&Version=2016-11-15")],
)
def test_a_request_whose_sender_is_killed_halfway_is_not_carried_out(endpoint: str, target: str, body: bytes):
    emulator.empty(endpoint)
    Clients(endpoint).client("s3", "us-east-1").create_bucket(Bucket="a-bucket")
    service = "s3" if target.startswith("PUT") else "ec2"
    head = (
        f"{target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body) + 50}\r\n{CALL_HEADER}: cut/It/1/1\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential=k/20261124/us-east-1/{service}/aws4_request, Signature=x\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))) as connection:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(WAIT_S)
        answer = connection.recv(100)

    assert b" 200 " not in answer
    exists = inventory.inventory(endpoint)
    assert exists.keys() == {"s3 bucket"}
    assert "Contents" not in Clients(endpoint).client("s3", "us-east-1").list_objects_v2(Bucket="a-bucket")
