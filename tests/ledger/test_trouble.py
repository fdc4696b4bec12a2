"""Which failures are the network's: trying again is right, and blaming the event wrong."""

import asyncio
import errno
import ssl

import pytest

from deploy.embedded.process import free_port
from ledger.database import connect
from ledger.trouble import is_trouble


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
        (ssl.SSLCertVerificationError(1, "certificate has expired"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (ValueError("what the event says"), False),
    ],
)
def test_the_network_is_told_from_the_rest(error: Exception, trouble: bool) -> None:
    assert is_trouble(error) is trouble


async def test_a_host_of_which_no_address_answers_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    loop = asyncio.get_running_loop()
    found = [await loop.getaddrinfo(address, port, type=1) for address in ("127.0.0.1", "127.0.0.2")]

    async def both(*_: object, **__: object) -> list[object]:
        return [one for addresses in found for one in addresses]

    monkeypatch.setattr(loop, "getaddrinfo", both)
    engine = connect(f"postgresql://u:p@two-addresses.test:{port}/x")
    with pytest.raises(OSError, match="Multiple exceptions") as away:
        async with engine.connect():
            pass
    assert is_trouble(away.value)
