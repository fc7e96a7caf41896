"""Settings: flags over environment over file over defaults, and a sentence for every fault."""

from pathlib import Path

import pytest

from liveroom.config import Address, Config, ConfigError, Limits, load, parse_address, settings

SECRET = "s" * 32


def loaded(flags: dict[str, object] | None = None, **environment: str) -> Config:
    environment.setdefault("LIVEROOM_SECRET", SECRET)
    return load(flags, environment=environment)


@pytest.fixture(autouse=True)
def _no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults_are_those_of_the_contract() -> None:
    config = loaded()
    assert str(config.http) == "127.0.0.1:8080"
    assert str(config.gateway) == "127.0.0.1:8081"
    assert str(config.media) == "127.0.0.1:8082"
    assert config.store == "sqlite:///./liveroom.db"
    assert config.bus == "local:"
    assert config.limits == Limits(
        sockets_per_user=20,
        sockets_per_address=5000,
        accepts_per_s=2000,
        media_sessions_per_user=200,
        media_sessions_per_address=2000,
        handshakes_per_address=200,
        say_per_s=2,
        say_burst=10,
        gifts_per_s=20,
        likes_per_s=20,
    )


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    Path("liveroom.toml").write_text(
        'http = "127.0.0.1:1"\ngateway = "127.0.0.1:1"\nnode = "file"\n[limits]\nsay_burst = 7\n'
    )
    config = loaded(
        {"http": "127.0.0.1:3", "node": None},
        LIVEROOM_HTTP="127.0.0.1:2",
        LIVEROOM_GATEWAY="127.0.0.1:2",
        LIVEROOM_LIMIT_SAY_PER_S="5",
    )
    assert config.http.port == 3
    assert config.gateway.port == 2
    assert config.node == "file"
    assert (config.limits.say_burst, config.limits.say_per_s) == (7, 5)


def test_every_setting_has_a_flag_an_environment_name_and_a_sentence() -> None:
    rows = {row.flag: row for row in settings()}
    wanted = "http gateway media advertise public-url gateway-url tls-cert tls-key origins store"
    wanted += " bus secret jwks admin-key node payments payment-secret"
    assert {f"--{name}" for name in wanted.split()} <= set(rows)
    assert rows["--limit-sockets-per-user"].environment == "LIVEROOM_LIMIT_SOCKETS_PER_USER"
    assert all(row.help.endswith((".", "…", ":")) or ":" in row.help for row in rows.values())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::1]:8080", Address("::1", 8080)),
        (":8080", Address("0.0.0.0", 8080)),
        ("localhost:65535", Address("localhost", 65535)),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LIVEROOM_HTTP", "8080", "HOST:PORT"),
        ("LIVEROOM_HTTP", "a:70000", "HOST:PORT"),
        ("LIVEROOM_HTTP", "a:-1", "HOST:PORT"),
        ("LIVEROOM_HTTP", "a:٣", "HOST:PORT"),
        ("LIVEROOM_HTTP", "::1:80", "brackets"),
        ("LIVEROOM_SECRET", "short", "32 bytes"),
        ("LIVEROOM_SECRET", "家" * 10, "32 bytes"),
        ("LIVEROOM_STORE", "mysql://x", "sqlite:///"),
        ("LIVEROOM_BUS", "nats://x", "local:"),
        ("LIVEROOM_ORIGINS", "shop.example", "https://shop.example"),
        ("LIVEROOM_ORIGINS", "https://shop.example/path", "https://shop.example"),
        ("LIVEROOM_PUBLIC_URL", "ftp://x", "https://"),
        ("LIVEROOM_GATEWAY_URL", "https://x", "wss://"),
        ("LIVEROOM_TLS_CERT", "/nowhere.pem", "no such file"),
        ("LIVEROOM_LIMIT_SAY_PER_S", "0", "whole number"),
        ("LIVEROOM_LIMIT_SAY_PER_S", "1.5", "whole number"),
        ("LIVEROOM_LIMIT_SAY_PER_S", "9" * 5000, "whole number"),
        ("LIVEROOM_LEEWAY_S", "6", "whole number"),
        ("LIVEROOM_PAYMENTS", "http://127.0.0.1:1", "--payment-secret"),
        ("LIVEROOM_METRICS", "everyone", "choose one of"),
    ],
)
def test_a_faulty_setting_is_refused_with_a_sentence(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        loaded(**{name: value})
    assert str(refused.value).endswith(".")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(LIVEROOM_HTTP="x", LIVEROOM_GATEWAY="y")
    assert "LIVEROOM_HTTP" in str(refused.value)
    assert "LIVEROOM_GATEWAY" in str(refused.value)


def test_serving_needs_a_key_and_says_how_to_set_it() -> None:
    with pytest.raises(ConfigError, match="LIVEROOM_SECRET"):
        load(environment={})
    assert load(environment={"LIVEROOM_JWKS": "keys.json"}).jwks == "keys.json"
    assert load(environment={}, needs_keys=False).secret is None


def test_a_setting_that_would_do_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="--media-workers"):
        loaded(LIVEROOM_MEDIA_WORKERS="2")


def test_tls_needs_both_files(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("")
    with pytest.raises(ConfigError, match="--tls-key"):
        loaded(LIVEROOM_TLS_CERT=str(tmp_path / "c.pem"))


def test_an_unknown_key_of_the_file_is_named() -> None:
    Path("liveroom.toml").write_text("htpp = 1")
    with pytest.raises(ConfigError, match="htpp"):
        loaded()


def test_secrets_are_not_printed_with_the_settings() -> None:
    config = loaded(LIVEROOM_ADMIN_KEY="admin-key-admin-key")
    assert SECRET not in repr(config)
    assert "admin-key" not in repr(config)


def test_a_bus_is_local_or_redis_and_its_fault_is_said() -> None:
    assert loaded(LIVEROOM_BUS="redis+sentinel://a,b/live").bus == "redis+sentinel://a,b/live"
    with pytest.raises(ConfigError, match="Sentinel's master"):
        loaded(LIVEROOM_BUS="redis+sentinel://a")


def test_workers_need_what_several_processes_can_share() -> None:
    shared = {"LIVEROOM_STORE": "postgresql://u@h/d", "LIVEROOM_BUS": "redis://h"}
    assert loaded(LIVEROOM_WORKERS="4", **shared).workers == 4
    with pytest.raises(ConfigError, match="postgresql://"):
        loaded(LIVEROOM_WORKERS="2", LIVEROOM_BUS="redis://h")
    with pytest.raises(ConfigError, match="redis://"):
        loaded(LIVEROOM_WORKERS="2", LIVEROOM_STORE="postgresql://u@h/d")
    with pytest.raises(ConfigError, match="fixed port"):
        loaded(LIVEROOM_WORKERS="2", LIVEROOM_HTTP="127.0.0.1:0", **shared)
