"""The gateway speaks TLS by itself when it is given a certificate."""

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from liveroom.bus.local import LocalBus
from liveroom.edge.callers import GatewayLimits
from liveroom.edge.gateway import Gateway
from liveroom.edge.sweeping import NOT_DIRECT
from tests.liveroom.edge.gateway_house import TOKENS, FakeServices, House, now_ms


def certificate(folder: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 with its key; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "tls.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class TlsHouse(House):
    @property
    def url(self) -> str:
        return f"wss://127.0.0.1:{self.gateway.port}/v1/ws"


async def test_viewers_come_in_over_tls(tmp_path: Path) -> None:
    path = certificate(tmp_path)
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(path)
    theirs = ssl.create_default_context(cafile=path)
    bus = LocalBus()
    fake = FakeServices(bus)
    gateway = Gateway(fake.services(), TOKENS, bus, GatewayLimits(), now_ms)
    await gateway.start("127.0.0.1", 0, ssl=ours)
    house = TlsHouse(gateway, fake)
    try:
        ming = await house.guest("ming", ssl=theirs, server_hostname="localhost")
        await fake.gift_of("x")
        await ming.event("gift", n=1)
        # Nothing may be written past what encrypts.
        assert {c.descriptor for c in gateway._connections} == {NOT_DIRECT}
    finally:
        await house.leave()
        await gateway.close()
