"""What is wrong with settings that are well-formed one by one: told at the start of a process, before anything is opened."""

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chassis.settings_sources import variable

if TYPE_CHECKING:
    from chassis.settings import Settings

_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s,:/@\[\]]+):([0-9]{1,5})")


def contradictions(settings: "Settings") -> list[str]:
    """A sentence for each, with its remedy and without secret values."""
    found = []
    public = urlsplit(settings.public_url) if _is_address(settings.public_url) else urlsplit("")
    if not public.netloc or public.path not in ("", "/") or public.query:
        found.append("XIAPAI_PUBLIC_URL is not an address; write scheme and host, such as https://xiapai.example.cn")
    brokers = settings.kafka_bootstrap.split(",") if settings.kafka_bootstrap else []
    if not all(_BROKER.fullmatch(broker.strip()) for broker in brokers):
        found.append(
            "XIAPAI_KAFKA_BOOTSTRAP is not a list of brokers; write host:port, several with commas between, without a scheme"
        )
    if settings.kafka_security.startswith("SASL") and (settings.kafka_user is None or settings.kafka_password is None):
        found.append(
            f"XIAPAI_KAFKA_SECURITY is {settings.kafka_security} without a login; set XIAPAI_KAFKA_USER and XIAPAI_KAFKA_PASSWORD"
        )
    if settings.kafka_ca_file is not None:
        found.extend(_authority_mistakes("kafka_ca_file", settings.kafka_ca_file))
        if "SSL" not in settings.kafka_security:
            found.append(
                f"XIAPAI_KAFKA_CA_FILE is set, but XIAPAI_KAFKA_SECURITY is {settings.kafka_security} and checks nothing; set it to SASL_SSL or SSL"
            )
    if settings.postgres_ca_file is not None:
        found.extend(_authority_mistakes("postgres_ca_file", settings.postgres_ca_file))
        if settings.postgres_tls != "verify-full":
            found.append(
                f"XIAPAI_POSTGRES_CA_FILE is set, but XIAPAI_POSTGRES_TLS is {settings.postgres_tls} and checks nothing; set it to verify-full"
            )
    for name in ("oidc_issuer", "oidc_discovery", "otlp_endpoint"):
        address = getattr(settings, name)
        if address is not None and not _is_address(address):
            found.append(f"{variable(name)} is not an address; write scheme and host, such as https://host.example.cn")
    if settings.clock_starts.tzinfo is None:
        found.append("XIAPAI_CLOCK_STARTS has no time zone; write it as 2026-07-01T09:00:00+08:00")
    if settings.webhook_url is not None:
        found.extend(_webhook_mistakes(settings.webhook_url.get_secret_value(), settings))
    if not settings.development:
        if settings.clock == "simulated":
            found.append(
                "XIAPAI_CLOCK is simulated in production; set it to real, or XIAPAI_ENVIRONMENT to development"
            )
        for name in ("oidc_issuer", "oidc_discovery"):
            if (getattr(settings, name) or "").startswith("http:"):
                found.append(f"{variable(name)} is not https in production; use the identity provider's https address")
        if public.scheme == "http" and public.hostname not in ("127.0.0.1", "localhost", "::1"):
            found.append(
                "XIAPAI_PUBLIC_URL is not https in production; put TLS before the desk and write its https address"
            )
    return found


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _authority_mistakes(name: str, path: Path) -> list[str]:
    try:
        ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        return [f"{variable(name)} names {path}, which holds no certificate; name a PEM file of the authority"]
    except OSError as error:
        return [
            f"{variable(name)} names {path}, which cannot be read ({type(error).__name__}); check the path and its rights"
        ]
    return []


def _webhook_mistakes(url: str, settings: "Settings") -> list[str]:
    if not _is_address(url):
        return ["XIAPAI_WEBHOOK_URL is not an http or https address; write it as https://host/path"]
    parts, found = urlsplit(url), []
    if parts.fragment:
        found.append("XIAPAI_WEBHOOK_URL has a part after #, which is never sent; write it as https://host/path")
    if parts.username is not None or parts.password is not None:
        found.append("XIAPAI_WEBHOOK_URL holds a login; take it out, XIAPAI_WEBHOOK_SECRET signs what is delivered")
    if settings.webhook_secret is None and not settings.development:
        found.append(
            "XIAPAI_WEBHOOK_URL is set without a secret; set XIAPAI_WEBHOOK_SECRET, that the receiver knows us"
        )
    return found
