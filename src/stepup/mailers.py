"""Mailers: how a message reaches the mail system, or a test.

``SMTPMailer`` speaks SMTP; ``ConsoleMailer`` prints, for development; ``Outbox`` and ``AsyncOutbox`` keep
messages, for tests and demos. Anything with ``send(message)``, sync or async, is a mailer (``ports.Mailer``).

A message may hold a code, so no repr and no error of this module shows a body or an address.
smtplib, ssl and email load when the first mail is sent.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from typing import TYPE_CHECKING, Final, Literal, TextIO

from .errors import ConfigurationError, DeliveryFailed
from .ports import Message

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

__all__ = ["AsyncOutbox", "ConsoleMailer", "Outbox", "SMTPMailer"]

Security = Literal["none", "starttls", "tls"]
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_BOUND_CODE: Final = re.compile(r"^@\S+ #([0-9]+)$")
_PLAIN_CODE: Final = re.compile(r"(?<![0-9])[0-9]{6,10}(?![0-9])")


class SMTPMailer:
    """Sends by SMTP, one connection a message. Thread-safe: it keeps nothing between messages.

    Args:
        host: the mail server.
        port: usually 25 (none), 587 (starttls) or 465 (tls).
        sender: the From address, with or without a name: ``"Northstar <no-reply@northstar.example>"``.
        username, password: both or neither; never over an unencrypted connection to another machine.
        security: ``"starttls"`` and ``"tls"`` check the server's certificate and never fall back.
        timeout: seconds for each network step.

    Raises:
        ConfigurationError: for values that cannot be right.
    """

    def __init__(
        self,
        host: str,
        port: int = 25,
        *,
        sender: str = "no-reply@localhost",
        username: str | None = None,
        password: str | None = None,
        security: Security = "none",
        timeout: float = 10.0,
    ) -> None:
        from email.utils import parseaddr

        if not host or any(character.isspace() for character in host):
            raise ConfigurationError("SMTPMailer(host) must be a host name or address.")
        if type(port) is not int or not 0 < port < 65536:
            raise ConfigurationError("SMTPMailer(port=) must be 1 to 65535.")
        if security not in {"none", "starttls", "tls"}:
            raise ConfigurationError('SMTPMailer(security=) must be "none", "starttls" or "tls".')
        if isinstance(timeout, bool) or not 0 < timeout <= 300:
            raise ConfigurationError("SMTPMailer(timeout=) must be above 0 and at most 300 seconds.")
        if (username is None) != (password is None):
            raise ConfigurationError("SMTPMailer needs both username= and password=, or neither.")
        if username is not None and security == "none" and host not in _LOOPBACK:
            raise ConfigurationError(
                "SMTPMailer would send its password unencrypted.", remedy='Use security="starttls".'
            )
        name, address = parseaddr(sender)
        if not sender.isprintable() or not _one_address(address):
            raise ConfigurationError("SMTPMailer(sender=) must be one address, with or without a name.")
        self._name, self._address = name, address
        self._host, self._port, self._security, self._timeout = host, port, security, timeout
        self._username, self._password = username, password

    @property
    def sender(self) -> str:
        """The From address, without the name."""
        return self._address

    def send(self, message: Message) -> None:
        """Return once the server has taken *message*.

        Raises:
            DeliveryFailed: if it was not taken, or nobody knows. The error holds neither body nor address.
        """
        import smtplib
        from email.errors import MessageError

        try:
            self._deliver(self._built(message), _ascii_address(message.to))
        except smtplib.SMTPResponseException as error:
            problem = f"{type(error).__name__} {error.smtp_code}"
        except (OSError, ValueError, LookupError, MessageError, smtplib.SMTPException) as error:
            problem = type(error).__name__
        else:
            return
        # Raised out here, so that the cause (which may quote the message) is not chained to it.
        raise DeliveryFailed(f"The mail server {self._host}:{self._port} did not take the message ({problem}).")

    def _built(self, message: Message) -> EmailMessage:
        """The mail. ``EmailMessage`` refuses line breaks in headers, and ``Address`` a second recipient."""
        from datetime import UTC, datetime
        from email.headerregistry import Address
        from email.message import EmailMessage
        from email.policy import SMTP
        from email.utils import format_datetime, make_msgid

        mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
        mail["From"] = Address(self._name, addr_spec=self._address)
        mail["To"] = Address(addr_spec=_ascii_address(message.to))
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = make_msgid(domain=self._address.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        if message.html is not None:
            mail.add_alternative(message.html, subtype="html")
        return mail

    def _deliver(self, mail: EmailMessage, recipient: str) -> None:
        import smtplib

        smtp = self._connected()
        try:
            if self._username is not None and self._password is not None:
                smtp.login(self._username, self._password)
            smtp.send_message(mail, from_addr=self._address, to_addrs=[recipient])
            # From here on the message is taken: a server that hangs up badly must not make it sent twice.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                smtp.quit()
        finally:
            smtp.close()

    def _connected(self) -> smtplib.SMTP:
        import smtplib
        import ssl

        if self._security == "tls":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=ssl.create_default_context())
        smtp = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        if self._security == "starttls":
            try:
                smtp.starttls(context=ssl.create_default_context())
            except BaseException:
                smtp.close()
                raise
        return smtp

    def __repr__(self) -> str:
        return f"SMTPMailer({self._host!r}, {self._port}, sender={self._address!r}, security={self._security!r})"


class ConsoleMailer:
    """Prints every message, code included. For development only: never where output is kept.

    Args:
        stream: where to; standard output at the time of sending without it.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, message: Message) -> None:
        """Print the text part."""
        stream = self._stream or sys.stdout
        stream.write(f"--- mail to {message.to}\n--- {message.subject}\n{message.text}---\n")
        stream.flush()

    def __repr__(self) -> str:
        return "ConsoleMailer()"


class _Box:
    """Messages in the order taken; safe to use from many threads."""

    def __init__(self, *, sender: str | None = None) -> None:
        self.sender = sender
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self._failures = 0

    @property
    def messages(self) -> tuple[Message, ...]:
        """Everything taken so far, oldest first."""
        with self._lock:
            return tuple(self._messages)

    @property
    def last(self) -> Message:
        """The newest message.

        Raises:
            LookupError: if there is none.
        """
        taken = self.messages
        if not taken:
            raise LookupError("The outbox is empty.")
        return taken[-1]

    def code(self) -> str:
        """The code in the newest message: from its last line (``@domain #code``), else its last 6 to 10 digits.

        Raises:
            LookupError: if there is no message, or no code in it.
        """
        lines = self.last.text.strip().splitlines() or [""]
        bound = _BOUND_CODE.match(lines[-1])
        found = [bound.group(1)] if bound else _PLAIN_CODE.findall(self.last.text)
        if not found:
            raise LookupError("The newest message holds no code.")
        return str(found[-1])

    def clear(self) -> None:
        """Forget everything taken."""
        with self._lock:
            self._messages.clear()

    def fail_next(self, times: int = 1) -> None:
        """Refuse the next *times* messages with ``DeliveryFailed``."""
        with self._lock:
            self._failures = times

    def _take(self, message: Message) -> None:
        with self._lock:
            if self._failures > 0:
                self._failures -= 1
                raise DeliveryFailed("The outbox was told to refuse this message.")
            self._messages.append(message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.messages)} messages)"


class Outbox(_Box):
    """Keeps messages instead of sending them: for tests and demos.

    Args:
        sender: a From address, whose domain then stands in the last line of mailed codes.
    """

    def send(self, message: Message) -> None:
        """Keep *message*."""
        self._take(message)


class AsyncOutbox(_Box):
    """``Outbox`` with ``async def send``."""

    async def send(self, message: Message) -> None:
        """Keep *message*."""
        self._take(message)


def _one_address(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    return bool(local and domain) and not any(character in address for character in ' ,;:<>()"\\\r\n')


def _ascii_address(address: str) -> str:
    """The address with an internationalized domain in its ASCII form (RFC 5891); the local part as it is."""
    if not _one_address(address) or not address.isprintable():
        raise ValueError("not one address")
    local, _, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}@{domain.encode('idna').decode('ascii')}"
