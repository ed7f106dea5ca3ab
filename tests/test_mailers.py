"""Mailers against a real SMTP server: what arrives, what is refused, and what errors may say."""

from __future__ import annotations

import asyncio
import email.policy
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from stepup.errors import ConfigurationError, DeliveryFailed
from stepup.mailers import AsyncOutbox, ConsoleMailer, Outbox, SMTPMailer
from stepup.ports import Message

CODE = "493817"
SENDER = "Northstar <no-reply@northstar.example>"
MESSAGE = Message(
    "olivia@northstar.example",
    "Bitte bestätigen: Löschen",
    f"Guten Tag, Zoë\nYour code: {CODE}\n\n@northstar.example #{CODE}\n",
    f"<p>Guten Tag, Zoë</p><b>{CODE}</b>",
)


class Postbox:
    """What the server was given; ``answer`` is what it says to the end of the data."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.raw: list[bytes] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 -- the server's own name
        if self.answer.startswith("250"):
            self.raw.append(envelope.content)
            parsed = message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(parsed, EmailMessage)
            self.mails.append(parsed)
            self.recipients.append(list(envelope.rcpt_tos))
        return self.answer

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 -- the server's own name
        if address.startswith("unknown"):
            return f"550 <{address}> unknown here"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Serve = Callable[..., int]


@pytest.fixture
def serve(postbox: Postbox) -> Iterator[Serve]:
    """Starts a server on a free loopback port, and answers the port."""
    running = list[Controller]()

    def start(kind: type[Controller] = Controller, **options: Any) -> int:
        controller = kind(postbox, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        running.append(controller)
        return int(controller.port)

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that nobody trusts yet, and a server context with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


# -- what arrives -----------------------------------------------------------------------------


def test_a_message_arrives_whole(serve: Serve, postbox: Postbox) -> None:
    SMTPMailer("127.0.0.1", serve(), sender=SENDER).send(MESSAGE)
    (mail,) = postbox.mails
    assert postbox.recipients == [["olivia@northstar.example"]]
    assert mail["To"] == "olivia@northstar.example"
    assert mail["From"] == SENDER
    assert mail["Subject"] == MESSAGE.subject
    assert mail["Auto-Submitted"] == "auto-generated"
    assert str(mail["Message-ID"]).endswith("@northstar.example>")
    sent = mail["Date"].datetime
    assert abs(datetime.now(UTC) - sent) < timedelta(minutes=5)
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == MESSAGE.text
    assert html.get_content().strip() == MESSAGE.html
    assert postbox.raw[0].isascii(), "any server can carry it"


def test_text_alone_is_plain(serve: Serve, postbox: Postbox) -> None:
    mailer = SMTPMailer("127.0.0.1", serve(), sender="no-reply@northstar.example")
    mailer.send(Message("olivia@northstar.example", "s", "t" * 2000 + "\n.\n..\nend"))
    (mail,) = postbox.mails
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == "t" * 2000 + "\n.\n..\nend\n"
    assert mail["From"] == mailer.sender == "no-reply@northstar.example"


def test_each_message_has_its_own_id(serve: Serve, postbox: Postbox) -> None:
    mailer = SMTPMailer("127.0.0.1", serve(), sender=SENDER)
    mailer.send(MESSAGE)
    mailer.send(MESSAGE)
    assert len({str(mail["Message-ID"]) for mail in postbox.mails}) == 2


def test_a_domain_in_other_letters_is_sent_in_ascii(serve: Serve, postbox: Postbox) -> None:
    SMTPMailer("127.0.0.1", serve(), sender=SENDER).send(Message("zoe@bücher.example", "s", "t"))
    assert postbox.recipients == [["zoe@xn--bcher-kva.example"]]


# -- what cannot be smuggled in -------------------------------------------------------------------


@pytest.mark.requirement("D-04")
@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\r", "\r\n\r\n"])
@pytest.mark.parametrize("field", ["to", "subject"])
def test_headers_cannot_be_injected(serve: Serve, postbox: Postbox, field: str, breaks: str) -> None:
    planted = {"to": "olivia@northstar.example", "subject": "Confirm"}
    planted[field] += f"{breaks}Bcc: mallory@elsewhere.example"
    with pytest.raises(DeliveryFailed):
        SMTPMailer("127.0.0.1", serve(), sender=SENDER).send(Message(planted["to"], planted["subject"], "t"))
    assert postbox.mails == []


@pytest.mark.parametrize(
    "to",
    ["a@x.example, b@y.example", "a@x.example;b@y.example", "A <a@x.example>", "a@x.example b@y.example", "",
    "@", "a", "a@",
     "@x.example", "a@x.example\0", "group: a@x.example;", '"a b"@x.example', "a@b\u2028c.example",
     "\ud800@x.example", "a@.",
     "a@" + "ü" * 80 + ".example", "zoë@x.example"],
)  # fmt: skip
def test_anything_but_one_address_is_refused(serve: Serve, postbox: Postbox, to: str) -> None:
    with pytest.raises(DeliveryFailed) as raised:
        SMTPMailer("127.0.0.1", serve(enable_SMTPUTF8=False), sender=SENDER).send(Message(to, "s", CODE))
    assert postbox.mails == []
    assert CODE not in str(raised.value)


# -- failures ---------------------------------------------------------------------------------------


def everything_said(error: BaseException) -> str:
    """The error with all that hangs on it, as a log would show it."""
    said, seen = "", error
    while seen is not None:
        said += repr(seen) + str(vars(seen))
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]
    return said


@pytest.mark.requirement("D-03", "Z-08")
@pytest.mark.parametrize(
    ("to", "answer"),
    [("unknown@northstar.example", "250 OK"), ("olivia@northstar.example",
    f"554 spam: {CODE} for olivia@northstar.example"),
     ("olivia@northstar.example", "451 try again")],
)  # fmt: skip
def test_a_refusal_says_neither_body_nor_address(serve: Serve, postbox: Postbox, to: str, answer: str) -> None:
    postbox.answer = answer
    port = serve()
    with pytest.raises(DeliveryFailed, match=f"127.0.0.1:{port}") as raised:
        SMTPMailer("127.0.0.1", port, sender=SENDER).send(Message(to, "s", f"code {CODE}"))
    said = everything_said(raised.value)
    assert CODE not in said
    assert "olivia" not in said
    assert "unknown@" not in said
    assert raised.value.code == "delivery_failed"
    postbox.answer = "250 OK"
    SMTPMailer("127.0.0.1", port, sender=SENDER).send(MESSAGE)
    assert len(postbox.mails) == 1


def test_nobody_listening_is_a_delivery_failure() -> None:
    with pytest.raises(DeliveryFailed, match="ConnectionRefusedError"):
        SMTPMailer("127.0.0.1", free_port(), sender=SENDER).send(MESSAGE)


def test_a_server_that_says_nothing_is_given_up_on() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(DeliveryFailed, match=r"SMTPServerDisconnected|Timeout"),
    ):
        SMTPMailer("127.0.0.1", silent.getsockname()[1], sender=SENDER, timeout=0.05).send(MESSAGE)


def test_a_server_that_hangs_up_after_taking_it_has_taken_it() -> None:
    """A bad goodbye must not make the caller send a second time."""
    said = list[bytes]()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk() -> None:
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 hello\r\n")
                data = False
                for line in lines:
                    said.append(line)
                    if data and line != b".\r\n":
                        continue
                    if line.upper().startswith(b"QUIT"):
                        return
                    data = line.upper().startswith(b"DATA")
                    connection.sendall(b"354 go on\r\n" if data else b"250 OK\r\n")

        talking = threading.Thread(target=talk)
        talking.start()
        SMTPMailer("127.0.0.1", listening.getsockname()[1], sender=SENDER).send(MESSAGE)
        talking.join(5)
    assert said[-2:] == [b".\r\n", b"quit\r\n"]


# -- encryption and passwords ---------------------------------------------------------------------------


def trusted(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


def test_starttls_with_a_trusted_certificate(
    serve: Serve, postbox: Postbox, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted(monkeypatch, certificate[0])
    port = serve(tls_context=certificate[1], require_starttls=True)
    SMTPMailer("localhost", port, sender=SENDER, security="starttls").send(MESSAGE)
    assert len(postbox.mails) == 1


def test_tls_with_a_trusted_certificate(
    serve: Serve, postbox: Postbox, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted(monkeypatch, certificate[0])
    port = serve(ssl_context=certificate[1], server_hostname="localhost")
    SMTPMailer("localhost", port, sender=SENDER, security="tls").send(MESSAGE)
    assert len(postbox.mails) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_that_is_not_trusted_or_not_its_own_is_refused(
    serve: Serve, postbox: Postbox, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    if host == "127.0.0.1":
        trusted(monkeypatch, certificate[0])
    port = serve(tls_context=certificate[1], require_starttls=True)
    with pytest.raises(DeliveryFailed, match="SSLCertVerificationError"):
        SMTPMailer(host, port, sender=SENDER, security="starttls").send(MESSAGE)
    assert postbox.mails == []


def test_a_server_without_starttls_gets_neither_password_nor_mail(serve: Serve, postbox: Postbox) -> None:
    mailer = SMTPMailer("127.0.0.1", serve(), sender=SENDER, security="starttls", username="u", password="pw-7c1d")
    with pytest.raises(DeliveryFailed, match="SMTPNotSupportedError"):
        mailer.send(MESSAGE)
    assert postbox.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # loopback, in a test
def test_signing_in(serve: Serve, postbox: Postbox) -> None:
    def authenticator(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == b"pw-7c1d", handled=False)

    port = serve(authenticator=authenticator, auth_required=True, auth_require_tls=False)
    SMTPMailer("127.0.0.1", port, sender=SENDER, username="mailer", password="pw-7c1d").send(MESSAGE)
    assert len(postbox.mails) == 1
    wrong = SMTPMailer("127.0.0.1", port, sender=SENDER, username="mailer", password="pw-wrong")
    with pytest.raises(DeliveryFailed, match="535") as raised:
        wrong.send(MESSAGE)
    assert "pw-wrong" not in everything_said(raised.value)
    assert "pw-" not in repr(wrong)
    assert repr(wrong).startswith(f"SMTPMailer('127.0.0.1', {port}")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"host": ""}, "host"), ({"host": "a b"}, "host"), ({"port": 0}, "port"), ({"port": 65536}, "port"),
        ({"port": "25"}, "port"), ({"sender": "nobody"}, "sender"),
        ({"sender": "a@x.example\nBcc: b@y.example"}, "sender"),
        ({"sender": ""}, "sender"), ({"security": "ssl"}, "security"), ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"), ({"timeout": True}, "timeout"), ({"username": "u"}, "password"),
        ({"password": "p"}, "username"), ({"host": "mail.example", "username": "u", "password": "pw-7c1d"},
        "unencrypted"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_at_construction(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as raised:
        SMTPMailer(**{"host": "localhost", **arguments})
    assert "pw-7c1d" not in str(raised.value)


# -- console and outbox --------------------------------------------------------------------------------


def test_the_console_shows_the_mail(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleMailer().send(MESSAGE)
    stream = io.StringIO()
    ConsoleMailer(stream).send(MESSAGE)
    assert capsys.readouterr().out == stream.getvalue()
    for shown in (MESSAGE.to, MESSAGE.subject, CODE):
        assert shown in stream.getvalue()
    assert repr(ConsoleMailer()) == "ConsoleMailer()"


def test_the_outbox_keeps_messages_in_order() -> None:
    outbox = Outbox()
    with pytest.raises(LookupError):
        _ = outbox.last
    with pytest.raises(LookupError):
        outbox.code()
    outbox.send(Message("a@x.example", "1", "no code"))
    with pytest.raises(LookupError, match="no code"):
        outbox.code()
    outbox.send(MESSAGE)
    assert [message.subject for message in outbox.messages] == ["1", MESSAGE.subject]
    assert outbox.last is MESSAGE
    assert outbox.code() == CODE
    assert repr(outbox) == "Outbox(2 messages)"
    outbox.clear()
    assert outbox.messages == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [("Order 999999\n\n@x.example #012345\n", "012345"), ("Your code: 001234\nvalid 5 min", "001234"),
     ("@x.example #111111\nYour code: 222222", "222222"), ("1234567890123 is no code, 0123456789 is", "0123456789")],
)  # fmt: skip
def test_the_outbox_finds_the_code(text: str, code: str) -> None:
    outbox = Outbox()
    outbox.send(Message("a@x.example", "s", text))
    assert outbox.code() == code


def test_the_outbox_can_be_told_to_fail() -> None:
    outbox, other = Outbox(), AsyncOutbox(sender="a@x.example")
    outbox.fail_next(2)
    other.fail_next()
    for _ in range(2):
        with pytest.raises(DeliveryFailed):
            outbox.send(MESSAGE)
    outbox.send(MESSAGE)
    with pytest.raises(DeliveryFailed):
        asyncio.run(other.send(MESSAGE))
    asyncio.run(other.send(MESSAGE))
    assert len(outbox.messages) == len(other.messages) == 1
    assert other.code() == CODE


def test_the_outbox_is_safe_in_many_threads() -> None:
    outbox = Outbox()

    def many() -> None:
        for _ in range(200):
            outbox.send(MESSAGE)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outbox.messages) == 1600


def test_a_message_shows_its_subject_alone() -> None:
    assert CODE not in repr(MESSAGE)
    assert "olivia" not in repr(MESSAGE)
