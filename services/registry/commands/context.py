"""What plans need besides the streams that they read."""

import hashlib
from dataclasses import dataclass

from chassis.identity.principal import Principal
from services.registry.category_rules import CategoryRules
from services.registry.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Context:
    """The keys of persons, and the rules of the categories."""

    keyring: Keyring
    rules: CategoryRules


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks. ``key`` is the request's idempotency key; ``source`` names the file that an import read."""

    who: Principal
    key: str = ""
    source: str | None = None

    def new_code(self, letter: str) -> str:
        """A code for what is created without one: the same for the same request, whoever retries it."""
        said = f"{len(self.who.subject)}:{self.who.subject}:{self.key}".encode()
        return letter + hashlib.blake2b(said, digest_size=8).hexdigest().upper()
