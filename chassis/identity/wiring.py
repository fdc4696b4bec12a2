"""From settings to who is who: the pieces of identity put together for a composition root."""

import httpx

from chassis.identity.access import Access
from chassis.identity.development import development_signer, issuer_address
from chassis.identity.login import DeskLogin
from chassis.identity.principal import ClaimNames
from chassis.identity.provider import GivenKeys, Keys, Provider
from chassis.identity.session import Sessions
from chassis.identity.tokens import Verifier
from chassis.keys import load_key, load_or_make_key
from chassis.settings import Settings


def session_key(settings: Settings) -> bytes:
    """The secret of sessions and paging cursors (`derive(key, "cursor")`); made once in development."""
    path = settings.key_file("session_key_file")
    return load_or_make_key(path) if settings.development else load_key(path)


def access_of(settings: Settings, http: httpx.AsyncClient) -> Access:
    """By bearer token, and by a session of the desk. Without `oidc_issuer` in development, the development issuer's key
    is taken as given."""
    sessions = Sessions(session_key(settings), settings.public_url, settings.session_hours)
    if settings.development and settings.oidc_issuer is None:
        keys: Keys = GivenKeys(development_signer(settings).key)
        verifier = Verifier(issuer_address(settings), settings.oidc_audience, keys, claim_names(settings))
    else:
        provider = provider_of(settings, http)
        verifier = Verifier(provider.issuer, settings.oidc_audience, provider, claim_names(settings))
    return Access(verifier, sessions)


def login_of(settings: Settings, http: httpx.AsyncClient, sessions: Sessions) -> DeskLogin:
    """The login that opens sessions."""
    provider = provider_of(settings, http)
    secret = settings.oidc_client_secret
    return DeskLogin(
        provider,
        Verifier(provider.issuer, settings.oidc_client_id, provider, claim_names(settings)),
        sessions,
        http,
        public_url=settings.public_url,
        session_key=session_key(settings),
        client_secret=secret.get_secret_value() if secret else None,
    )


def provider_of(settings: Settings, http: httpx.AsyncClient) -> Provider:
    """The configured provider; in development, without one, our own issuer at its public address."""
    if settings.oidc_issuer is None and settings.development:
        return Provider(issuer_address(settings), http)
    settings.require("oidc_issuer")
    return Provider(str(settings.oidc_issuer), http, settings.oidc_discovery)


def claim_names(settings: Settings) -> ClaimNames:
    return ClaimNames(settings.claim_role, settings.claim_unit, settings.claim_categories, settings.claim_person)
