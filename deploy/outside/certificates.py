"""A certificate authority and the certificates of the trial's servers: `python -m deploy.outside.certificates FOLDER`."""

import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAYS = 30


def make(folder: Path, servers: dict[str, tuple[str, ...]]) -> None:
    """`ca.pem`, and of each server `NAME.pem` and `NAME-key.pem`, good for its names, `localhost` and 127.0.0.1."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = _name("trial authority")
    root = _certificate(issuer, issuer, authority.public_key(), authority, ca=True)
    (folder / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    for server, names in servers.items():
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _certificate(_name(server), issuer, key.public_key(), authority, names=(*names, "localhost"))
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{server}.pem").write_bytes(signed.public_bytes(Encoding.PEM))
        (folder / f"{server}-key.pem").write_bytes(secret)
        (folder / f"{server}-both.pem").write_bytes(secret + signed.public_bytes(Encoding.PEM))


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    authority: ec.EllipticCurvePrivateKey,
    *,
    names: tuple[str, ...] = (),
    ca: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, ca, ca, False, False), critical=True)
    )
    if names:
        alternatives = [*(x509.DNSName(name) for name in names), x509.IPAddress(ip_address("127.0.0.1"))]
        made = made.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return made.sign(authority, SHA256())


if __name__ == "__main__":
    make(Path(sys.argv[1]), {name: (name,) for name in ("kafka", "keycloak", "postgres", "gateway")})
