"""The chain of hashes through an account's lines: each covers its bundle and the line before.

Whoever changes, removes or inserts a line or the head of its bundle breaks the chain of every
guarded account the bundle touches. It cannot see that the newest lines of an account were
cut off together with its balance: compare `heads` printed earlier (`liveroom db verify`).
"""

from hashlib import sha256


def genesis(tenant: str, account: str) -> str:
    """Give the hash before an account's first line: it ties the chain to its place."""
    return _hash((tenant, account))


def digest(
    id: str,
    cause: str,
    ref: str,
    actor: str,
    reason: str,
    reverses: str | None,
    at: int,
    amounts: tuple[tuple[str, int], ...],
) -> str:
    """Digest a whole bundle: who did what, why, when, and all it touches in order of names."""
    return _hash((id, cause, ref, actor, reason, reverses, at, amounts))


def link(before: str, digest: str, account: str, version: int, amount: int, balance: int) -> str:
    """Give the hash of one line."""
    return _hash((before, digest, account, version, amount, balance))


def _hash(parts: tuple[object, ...]) -> str:
    """Hash text and integers; `ascii` writes them unambiguously, whatever they contain."""
    return sha256(ascii(parts).encode("ascii")).hexdigest()
