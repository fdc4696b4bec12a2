"""The webhook: a reminder goes out as a CloudEvent over HTTP (binary mode), signed.

The body is the event `reminder.recorded` exactly as the contracts describe it, so it names a person by number alone. The
receiver sees every attempt of one reminder under one Idempotency-Key, and must take it once.

The address comes from the operator's settings and from nowhere else; redirects are not followed and proxies of the
environment are not used, so that no answer and no variable can lead a reminder elsewhere.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

import httpx
from xiapai_contracts.event import Codec, event_type
from xiapai_contracts.notify import ReminderRecorded
from xiapai_contracts.record import SPEC_VERSION, data_schema
from xiapai_contracts.terms import Category

from ledger.tracing import current_traceparent
from services.notify.outbox import Due
from services.notify.reminder import stream_of

CHANNEL = "webhook"
TIMEOUT_SECONDS = 5.0
_SENT = event_type(ReminderRecorded)
_PLAIN = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver answered with 2xx."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """It did not: `http-500`, `timeout`, `unreachable`."""

    reason: str


def signature(secret: bytes, body: bytes) -> str:
    """`sha256=<hex>`: HMAC-SHA256 (RFC 2104) of the body."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


class Webhook:
    """Sends to one address. ``secret`` None: unsigned, for development."""

    def __init__(self, client: httpx.AsyncClient, codec: Codec, url: str, secret: str | None) -> None:
        self._client, self._codec, self._url = client, codec, url
        self._secret = secret.encode() if secret is not None else None

    async def send(self, due: Due) -> Taken | NotTaken:
        """One attempt, of 5 seconds at most in all. The answer's body is not read."""
        body = self._codec.encode(
            ReminderRecorded(
                reminder=due.reminder,
                person=due.person,
                posting=due.posting,
                subject=due.subject,
                about=due.about,
                due=due.due,
                category=Category(due.category) if due.category else None,
            )
        )
        headers = self._headers(due, body)
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                return Taken() if answer.is_success else NotTaken(f"http-{answer.status_code}")
        except (TimeoutError, httpx.TimeoutException):
            return NotTaken("timeout")
        except httpx.TransportError:
            return NotTaken("unreachable")

    def _headers(self, due: Due, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": _header(due.reminder),
            "ce-specversion": SPEC_VERSION,
            "ce-id": _header(due.reminder),
            "ce-source": "/notify",
            "ce-type": _SENT.event_name,
            "ce-subject": _header(stream_of(due.reminder)),
            "ce-dataschema": data_schema(_SENT.event_name, _SENT.event_version),
        }
        if (traceparent := current_traceparent()) is not None:
            headers["traceparent"] = traceparent
        if self._secret is not None:
            headers["X-Xiapai-Signature"] = signature(self._secret, body)
        return headers


def _header(text: str) -> str:
    """As CloudEvents puts text into HTTP headers: what is not printable ASCII is percent-encoded."""
    return quote(text, safe=_PLAIN)


@asynccontextmanager
async def open_webhook(codec: Codec, url: str, secret: str | None) -> AsyncIterator[Webhook]:
    """With a client of its own, which follows nothing and nobody."""
    async with httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=TIMEOUT_SECONDS) as client:
        yield Webhook(client, codec, url, secret)
