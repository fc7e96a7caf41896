"""Reads settings: flags, then the environment, then liveroom.toml, then defaults.

This is the only reader of the environment. What is wrong with a value is said in a sentence.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path

from liveroom.config.limits import Limits
from liveroom.config.settings import Config

SECRET_BYTES_MIN = 32
"""RFC 7518 section 3.2: an HS256 key is at least as long as the hash."""

TOML_DEFAULT = Path("liveroom.toml")
ENVIRONMENT_PREFIX = "LIVEROOM_"
LIMIT_PREFIX = "limit_"


class ConfigError(ValueError):
    """The settings cannot be used; the message is one sentence per fault."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings: `name` as in liveroom.toml, flags and environment alike."""

    name: str
    parse: Callable[[object], object]
    help: str
    default: str

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()


def _row(prefix: str, source: "Field[object]") -> Setting:
    parse = source.metadata["parse"]
    shown = source.metadata["shown"]
    if not shown:
        default = None if source.default is MISSING else source.default
        shown = "none" if default is None else str(default)
    return Setting(prefix + source.name, parse, source.metadata["help"], shown)


def settings() -> tuple[Setting, ...]:
    """List every setting, limits last."""
    plain = [_row("", source) for source in fields(Config) if source.name != "limits"]
    return (*plain, *(_row(LIMIT_PREFIX, source) for source in fields(Limits)))


def _read_toml(path: Path | None) -> dict[str, object]:
    chosen = path or TOML_DEFAULT
    if not chosen.is_file():
        if path is None:
            return {}
        raise ConfigError(f"There is no settings file {path}.")
    try:
        found = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{chosen} is not valid TOML: {error}.") from error
    limits = found.pop("limits", {})
    if not isinstance(limits, dict):
        raise ConfigError(f"{chosen}: [limits] is a table.")
    found.update({LIMIT_PREFIX + name: value for name, value in limits.items()})
    known = {setting.name for setting in settings()}
    if unknown := sorted(set(found) - known):
        raise ConfigError(f"{chosen}: there is no setting {unknown[0]}; see liveroom serve --help.")
    return found


def load(
    flags: Mapping[str, object] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    needs_keys: bool = True,
) -> Config:
    """Read all settings.

    Args:
        flags: settings by name as given on the command line; None values count as absent.
        environment: the process environment by default.
        file: a settings file that must exist; by default liveroom.toml where there is one.
        needs_keys: whether a way to check tokens is required, as it is to serve.

    Raises:
        ConfigError: with one sentence per fault.

    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    from_file = _read_toml(file)
    values: dict[str, object] = {}
    faults: list[str] = []
    for setting in settings():
        if setting.name in given:
            source, raw = setting.flag, given[setting.name]
        elif environment.get(setting.environment):
            source, raw = setting.environment, environment[setting.environment]
        elif setting.name in from_file:
            source, raw = f"{setting.name} in the settings file", from_file[setting.name]
        else:
            continue
        try:
            values[setting.name] = setting.parse(raw)
        except ValueError as error:
            faults.append(f"{source}: {error}.")
    if not faults:
        config = _build(values)
        faults = _faults(config, needs_keys=needs_keys)
        if not faults:
            return config
    raise ConfigError(" ".join(faults))


def _build(values: Mapping[str, object]) -> Config:
    limits = {
        name.removeprefix(LIMIT_PREFIX): value
        for name, value in values.items()
        if name.startswith(LIMIT_PREFIX)
    }
    plain = {name: value for name, value in values.items() if not name.startswith(LIMIT_PREFIX)}
    return Config(limits=Limits(**limits), **plain)  # type: ignore[arg-type]


def _faults(config: Config, *, needs_keys: bool) -> list[str]:
    faults = []
    if needs_keys and config.secret is None and config.jwks is None:
        faults.append(
            "There is no key to check tokens with: set --secret or LIVEROOM_SECRET to at least "
            f"{SECRET_BYTES_MIN} random bytes, or --jwks."
        )
    if config.secret is not None and len(config.secret.encode()) < SECRET_BYTES_MIN:
        faults.append(f"The secret is too short: use at least {SECRET_BYTES_MIN} bytes.")
    if (config.tls_cert is None) != (config.tls_key is None):
        faults.append("TLS needs both --tls-cert and --tls-key.")
    if config.media_workers != 1:
        faults.append(
            "--media-workers: this version forwards media in one process; leave it at 1. "
            "--workers adds processes for websockets."
        )
    if config.payments is not None and config.payment_secret is None:
        faults.append("--payments needs --payment-secret, the key shared with the provider.")
    if config.payment_secret is not None and len(config.payment_secret.encode()) < SECRET_BYTES_MIN:
        faults.append(f"The payment secret is too short: use at least {SECRET_BYTES_MIN} bytes.")
    if config.workers > 1:
        faults += _worker_faults(config)
    return faults


def _worker_faults(config: Config) -> list[str]:
    """Say what several processes behind one address lack."""
    faults = []
    if not config.store.startswith("postgresql://"):
        faults.append(
            "--workers needs a database that several processes can share: set --store "
            "postgresql://… (one process owns a SQLite file)."
        )
    if config.bus == "local:":
        faults.append("--workers needs a bus between the processes: set --bus redis://….")
    if config.http.port == 0:
        faults.append("--workers needs a fixed port in --http: all of them tell it to clients.")
    return faults
