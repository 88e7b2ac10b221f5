"""The HTTP server over real sockets: responses, bodies, time-outs, limits on connections."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from services.gateway.http.connections import Times, Wsgi
from services.gateway.http.server import Limits, Server
from services.gateway.web.hosting import refuse
from shared import green
from shared.kernel.errors import DomainError
from tests.platform import ROOT

Address = tuple[str, int]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
LONG = 600.0
"""In seconds: a test that waits for it fails."""
PATIENT = Times(head=LONG, body=LONG, idle=LONG, send=LONG, linger=LONG)


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Method", environ["REQUEST_METHOD"])])
    return [environ["PATH_INFO"].encode(), body]


def answering(status: str, headers: list[tuple[str, str]], pieces: Iterable[bytes]) -> Wsgi:
    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, headers)
        return pieces

    return application


@contextmanager
def serving(application: Wsgi = echo, **limits: Any) -> Iterator[Address]:
    server = Server(application, refuse, Limits(**{"times": PATIENT, **limits}))
    with green.listen(("127.0.0.1", 0)) as listener:
        accepting = green.spawn(server.serve, listener)
        try:
            yield listener.getsockname()
        finally:
            accepting.kill()
            server.stop()


def connected(address: Address, source: str = "127.0.0.1") -> Any:
    return socket.create_connection(address, timeout=LONG / 10, source_address=(source, 0))


def exchanged(address: Address, *sent: bytes, ends: bool = True) -> bytes:
    """All bytes received until the server closes; with ``ends`` the client shuts down its sending side first."""
    with connected(address) as client:
        for piece in sent:
            client.sendall(piece)
            green.sleep(0)
        if ends:
            client.shutdown(socket.SHUT_WR)
        return received(client)


def received(client: Any) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


def one_answer(client: Any) -> bytes:
    """The next response of a connection that stays open."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.recv(65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: ([0-9]+)", head)[1])  # type: ignore[index]
    while len(body) < length:
        body += client.recv(65_536)
    return head + b"\r\n\r\n" + body


def problem(answer: bytes) -> tuple[int, str]:
    """Status and code of a response that is a complete problem document and closes its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/problem+json\r\n" in head and b"\r\nConnection: close" in head, head
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head and b"\r\nX-Request-Id: " in head, head
    document = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % document["status"])
    return document["status"], document["code"]


# --- answers --------------------------------------------------------------------------------------------------------


def test_a_connection_serves_one_request_after_the_other() -> None:
    with serving() as address, connected(address) as client:
        for path in (b"/one", b"/two"):
            client.sendall(GET.replace(b"/", path, 1))
            answer = one_answer(client)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\nX-Method: GET\r\nContent-Length: 4\r\nDate: ")
            assert answer.endswith(path) and b"Connection:" not in answer and b"Server:" not in answer


def test_pipelined_requests_are_answered_in_their_order() -> None:
    with serving() as address:
        answer = exchanged(
            address, GET.replace(b"/", b"/one", 1) + POST + CLOSE.replace(b"/", b"/two", 1) + GET, ends=False
        )
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"/one", b"/abc", b"/two"]
    assert answer.count(b"Connection: close") == 1


@pytest.mark.parametrize("sent", [GET.replace(b"1.1", b"1.0"), CLOSE, CLOSE.replace(b"close", b"x , CLOSE")])
def test_connection_close_and_http_1_0_end_the_connection(sent: bytes) -> None:
    with serving() as address:
        assert b"\r\nConnection: close\r\n" in exchanged(address, sent, ends=False)


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
def test_a_connection_without_a_request_gets_no_response(sent: bytes) -> None:
    with serving() as address:
        assert exchanged(address, sent) == b""


@pytest.mark.parametrize(
    ("method", "status", "headers", "expected"),
    [
        (b"HEAD", "200 OK", [("Content-Length", "7")], [b"Content-Length: 7"]),
        (b"HEAD", "200 OK", [], []),
        (b"GET", "204 No Content", [], []),
        (b"GET", "304 Not Modified", [], []),
        (b"GET", "200 OK", [], [b"Content-Length: 7"]),
    ],
)
def test_content_and_content_length_by_method_and_status(
    method: bytes, status: str, headers: list[tuple[str, str]], expected: list[bytes]
) -> None:
    with serving(answering(status, headers, iter([b"con", b"tent"]))) as address:
        head, _, body = exchanged(address, GET.replace(b"GET", method)).partition(b"\r\n\r\n")
    assert re.findall(rb"Content-Length: \w+", head) == expected
    assert body == (b"content" if (method, status) == (b"GET", "200 OK") else b"")


class Failing:
    """A response that raises halfway, and records whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("headers", "pieces"),
    [
        ([], Failing()),
        ([("Content-Length", "6")], [b"longer than that"]),
        ([("X", "a\r\nSet-Cookie: b")], []),
        ([("X", "a\nb")], []),
        ([("X", "\u20ac")], []),
    ],
)
def test_a_failing_application_is_500(headers: list[tuple[str, str]], pieces: Any) -> None:
    with serving(answering("200 OK", headers, pieces)) as address:
        assert problem(exchanged(address, GET + GET)) == (500, "internal-error")
    assert getattr(pieces, "closed", True)


def test_an_application_without_start_response_is_500() -> None:
    with serving(lambda *_: [b"content"]) as address:
        assert problem(exchanged(address, GET)) == (500, "internal-error")


def test_written_pieces_precede_the_returned_ones() -> None:
    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])(b"written, ")
        return [b"returned"]

    with serving(application) as address:
        assert exchanged(address, GET).endswith(b"\r\n\r\nwritten, returned")


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_an_unread_body_is_not_parsed_as_a_request() -> None:
    smuggled = b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n" * 10_000
    sent = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(smuggled) + smuggled
    with serving(answering("413 Too Large", [], [])) as address, connected(address) as client:
        for _ in range(2):
            client.sendall(sent)
            assert one_answer(client).startswith(b"HTTP/1.1 413 ")


def test_100_continue_is_sent_when_the_body_is_read() -> None:
    head, body = POST[:-3].replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n"), POST[-3:]
    with serving() as address, connected(address) as client:
        client.sendall(head)
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert one_answer(client).endswith(b"/abc")
        client.sendall(head + body)  # the body is there already: no 100 is sent
        assert one_answer(client).startswith(b"HTTP/1.1 200 OK")


def test_a_refusal_before_the_body_sends_no_100() -> None:
    head = POST[:-3].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    with serving(answering("401 Unauthorized", [], [])) as address:
        answer = exchanged(address, head, ends=False)
    assert answer.startswith(b"HTTP/1.1 401 ") and b"\r\nConnection: close" in answer


@pytest.mark.parametrize("sent", [GET[:-2], b"GET", b"\r", POST[:-1]])
def test_a_truncated_request_is_refused(sent: bytes) -> None:
    with serving() as address:
        assert problem(exchanged(address, sent)) == (400, "bad-request")


def test_a_refusal_of_a_head_request_has_no_content() -> None:
    with serving() as address:
        assert exchanged(address, b"HEAD / HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")[2] == b""


# --- time -----------------------------------------------------------------------------------------------------------


def trickled(address: Address, head: bytes, rest: bytes) -> bytes:
    """The response to a client that sends one byte at a time, without end (slowloris)."""
    with connected(address) as client:
        client.sendall(head)
        for position in range(100_000):
            client.settimeout(0.01)
            try:
                client.sendall(rest[position % len(rest)].to_bytes())
                return client.recv(1) + received(client)
            except TimeoutError:
                continue
    raise AssertionError("the server set no time limit")


def test_a_head_has_a_total_time_limit() -> None:
    with serving(times=Times(head=0.3, linger=0.1)) as address:
        assert problem(trickled(address, GET[:-2], b"X: y\r\n")) == (408, "request-timeout")


def test_a_body_has_a_total_time_limit() -> None:
    with serving(times=Times(body=0.3, linger=0.1)) as address:
        sent = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"
        assert problem(trickled(address, sent, b"x")) == (408, "request-timeout")


def test_an_unread_body_has_a_time_limit() -> None:
    with serving(answering("200 OK", [], []), times=Times(body=0.3, linger=0.1)) as address:
        sent = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"
        assert exchanged(address, sent, ends=False).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("before", [b"", GET])
def test_an_idle_connection_is_closed_without_a_response(before: bytes) -> None:
    with serving(times=Times(idle=0.3, linger=0.1)) as address:
        answer = exchanged(address, before, ends=False)
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 ") == bool(before)


def test_a_client_that_does_not_read_blocks_no_other_and_is_disconnected() -> None:
    large = b"x" * (32 * 1024 * 1024)
    times = Times(send=0.5, bytes_per_second=10**9, linger=0.1)
    with serving(answering("200 OK", [], [large]), times=times) as address, connected(address) as client:
        client.sendall(GET)
        assert len(exchanged(address, GET)) > len(large)
        green.sleep(1)
        assert len(received(client)) < len(large)


def test_the_time_to_send_grows_with_the_response() -> None:
    large = b"x" * (32 * 1024 * 1024)
    times = Times(send=0.2, bytes_per_second=len(large) / LONG)
    with serving(answering("200 OK", [], [large]), times=times) as address, connected(address) as client:
        client.sendall(CLOSE)
        green.sleep(1)
        assert len(received(client)) > len(large)


def test_a_flooding_client_does_not_starve_the_others() -> None:
    seconds: list[float] = []
    with serving() as address, connected(address) as flooding:
        flood = green.spawn(flooding.sendall, GET * 20_000)
        reading = green.spawn(received, flooding)
        for _ in range(20):
            begin = time.monotonic()
            assert b"200 OK" in exchanged(address, GET)
            seconds.append(time.monotonic() - begin)
        assert not flood.dead or not reading.dead, "the others were answered after the flood"
        flood.kill()
        reading.kill()


# --- number ---------------------------------------------------------------------------------------------------------


def test_the_longest_idle_connection_is_evicted() -> None:
    with serving(connections=3) as address, ExitStack() as stack:
        first, second, third = (stack.enter_context(connected(address)) for _ in range(3))
        for client in (second, third, first):
            client.sendall(GET)
            one_answer(client)
        fourth = stack.enter_context(connected(address))
        fourth.sendall(GET)
        assert one_answer(fourth)
        assert second.recv(1) == b""
        for client in (first, third, fourth):
            client.sendall(GET)
            assert one_answer(client)


def test_a_connection_beyond_the_limit_is_503_until_one_is_free() -> None:
    with serving(connections=3) as address, ExitStack() as stack:
        busy = [stack.enter_context(connected(address)) for _ in range(3)]
        for client in busy:
            client.sendall(POST[:-1])
            green.sleep(0.05)
        assert problem(exchanged(address, GET)) == (503, "too-busy")
        busy[0].sendall(POST[-1:])
        assert one_answer(busy[0]).endswith(b"/abc")
        assert b"200 OK" in exchanged(address, GET)
        for client in busy[1:]:
            client.sendall(POST[-1:])
            assert one_answer(client).endswith(b"/abc")


def test_connections_are_limited_per_address() -> None:
    with serving(connections=5, connections_per_address=2) as address, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connected(address)).sendall(POST[:-1])
            green.sleep(0.05)
        assert problem(exchanged(address, GET)) == (503, "too-busy")
        with connected(address, "127.0.0.2") as client:
            client.sendall(GET)
            assert b"200 OK" in one_answer(client)


def test_a_thousand_connections_beyond_the_limit_are_dropped() -> None:
    """One is served, the others are refused or closed, and the served one still gets its response."""
    with serving(connections=1, times=Times(linger=LONG)) as address, ExitStack() as stack:
        busy = stack.enter_context(connected(address))
        busy.sendall(POST[:-1])
        green.sleep(0.05)
        for _ in range(1_000):
            stack.enter_context(connected(address))
        busy.sendall(POST[-1:])
        assert one_answer(busy).endswith(b"/abc")


OUT_OF_FILES = """
    from shared import green
    green.monkey_patch()
    import resource
    from services.gateway.http.server import Limits, Server
    from tests.unit.gateway.test_http_server import echo, refuse

    server = Server(echo, refuse, Limits())
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    with green.listen(("127.0.0.1", 0), backlog=100) as listener:
        print(listener.getsockname()[1], flush=True)
        server.serve(listener)
"""


def test_the_server_recovers_from_running_out_of_file_descriptors() -> None:
    command = [sys.executable, "-c", textwrap.dedent(OUT_OF_FILES)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            address = ("127.0.0.1", int(process.stdout.readline()))  # type: ignore[union-attr]
            with ExitStack() as stack:
                for _ in range(100):
                    stack.enter_context(connected(address)).sendall(GET[:-2])
                while b"Too many open files" not in process.stdout.readline():  # type: ignore[union-attr]
                    assert process.poll() is None
            assert b"200 OK" in exchanged(address, GET)
        finally:
            process.kill()


def test_the_limit_of_file_descriptors_is_raised_to_the_hard_limit() -> None:
    script = """
        import resource
        from services.gateway.http.server import Limits, Server
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 1_000))
        server = Server(None, None, Limits())
        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], server.max_connections)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "1000 744\n"


def test_stopping_closes_every_connection() -> None:
    with ExitStack() as stack:
        with serving() as address:
            idle, busy = (stack.enter_context(connected(address)) for _ in range(2))
            busy.sendall(POST[:-1])
            idle.sendall(GET)
            one_answer(idle)
        assert (idle.recv(1), busy.recv(1)) == (b"", b"")


def test_a_refusal_at_an_address_of_the_desk_has_its_format() -> None:
    with serving() as address:
        head, _, body = exchanged(address, b"GET /v2/bookings/token/ABCDEF HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert b"Content-Type: application/json\r\n" in head and list(json.loads(body)) == ["global"]


def test_a_domain_error_of_the_application_is_a_problem_document() -> None:
    class Refusal(DomainError):
        status = 409
        code = "conflict"

    def application(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise Refusal

    with serving(application) as address:
        assert problem(exchanged(address, GET)) == (409, "conflict")
