"""`liveroom import`: sends a CSV file of members or past orders to a server, row by row.

It goes on where an interrupted import stopped: the import's id is made from the file's
content. Flows out: a progress bar, and what was wrong, by line.
"""

import csv
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

COLUMNS: Final = {
    "members": ("id",),
    "orders": ("id", "user", "paid_at", "product", "quantity", "unit_price"),
}
"""What a file must have; `members` may also have name, age_band, coins, public_orders and
ritual, `orders` title and category. Amounts in minor units; an order's lines follow each other."""
CHUNK_BYTES_MAX: Final = 40_000
CHUNK_ROWS_MAX: Final = 200
TRIES_MAX: Final = 6
FAULTY: Final = 1

_WHOLE: Final = frozenset({"coins", "quantity", "unit_price", "paid_at"})
_SWITCHES: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ImportFailed(Exception):  # noqa: N818 - said to the person who imports
    """The import cannot go on; the text says what to do."""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row to send, with the line of the file that it begins on."""

    line: int
    row: dict[str, Any]


def read_rows(kind: str, file: Path) -> Iterator[CsvRow]:
    """Read a file into rows.

    Raises:
        ImportFailed: it is no CSV in UTF-8, or a column is missing.

    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [name for name in COLUMNS[kind] if name not in (reader.fieldnames or ())]
            if missing:
                raise ImportFailed(f"{file} has no column {missing[0]}.")
            cells = ((reader.line_num, _cells(row)) for row in reader)
            yield from _members(cells) if kind == "members" else _orders(cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImportFailed(f"{file} cannot be read as CSV in UTF-8: {error}.") from error


def _cells(row: dict[str | None, Any]) -> dict[str, Any]:
    """Give cells their types; what does not fit stays text, and the server says so."""
    return {
        name: _typed(name, value.strip())
        for name, value in row.items()
        if name is not None and isinstance(value, str) and value.strip()
    }


def _typed(name: str, value: str) -> Any:
    if name in ("public_orders", "ritual"):
        return _SWITCHES.get(value.lower(), value)
    if name not in _WHOLE:
        return value
    if value.isascii() and value.lstrip("-").isdigit():
        return int(value)
    if name == "paid_at":
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return value
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    return value


def _members(cells: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[CsvRow]:
    for line, row in cells:
        yield CsvRow(line, row)


def _orders(cells: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[CsvRow]:
    """Gather the lines of an order that follow each other."""
    ordered = ("product", "title", "category", "quantity", "unit_price")
    for _, group in groupby(cells, key=lambda one: one[1].get("id")):
        found = list(group)
        line, first = found[0]
        named = ("id", "user", "paid_at")
        head: dict[str, Any] = {name: first[name] for name in named if name in first}
        lines = [{name: row[name] for name in ordered if name in row} for _, row in found]
        yield CsvRow(line, {**head, "lines": lines})


def chunks(rows: Iterator[CsvRow], skip: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Cut rows into bodies of a bounded size, leaving out the first ones."""
    first, chunk, size = skip, list[dict[str, Any]](), 0
    for number, one in enumerate(rows):
        if number < skip:
            continue
        sent = {"line": one.line, "row": one.row}
        length = len(msgspec.json.encode(sent))
        if chunk and (size + length > CHUNK_BYTES_MAX or len(chunk) >= CHUNK_ROWS_MAX):
            yield first, chunk
            first, chunk, size = number, [], 0
        chunk.append(sent)
        size += length
    if chunk:
        yield first, chunk


class Importer:
    """Sends the rows of one file.

    Args:
        http: a client whose base is the server and which bears a merchant's token.
        pause: waits so many seconds between tries.

    """

    def __init__(self, http: httpx.Client, pause: Any = time.sleep) -> None:
        self._http = http
        self._pause = pause

    def run(self, kind: str, file: Path, console: Console) -> int:
        """Import a file; returns how many rows were left out.

        Raises:
            ImportFailed: the file or the server's answer does not allow to go on.

        """
        total = sum(1 for _ in read_rows(kind, file))
        if not total:
            raise ImportFailed(f"{file} has no rows.")
        id = f"{kind}-{_digest(file)}"
        state = self._send("/v1/imports", {"id": id, "kind": kind, "total": total})
        if state["next"]:
            console.print(f"going on with row {state['next'] + 1} of {total}")
        with Progress(
            TextColumn(f"importing {kind}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[failed]} left out"), console=console,
        ) as progress:  # fmt: skip
            bar = progress.add_task(kind, total=total, completed=state["next"], failed=0)
            for first, rows in chunks(read_rows(kind, file), state["next"]):
                state = self._send(f"/v1/imports/{id}/rows", {"first": first, "rows": rows})
                progress.update(bar, completed=state["next"], failed=state["failed"])
        self._report(id, state, console)
        return int(state["failed"])

    def _report(self, id: str, state: dict[str, Any], console: Console) -> None:
        if state["failed"]:
            for fault in self._answer(self._http.get(f"/v1/imports/{id}"))["faults"]:
                console.print(
                    f"line {fault['line']}: {fault['code']}: {fault['why']}", markup=False
                )
        console.print(f"{state['done']} imported, {state['failed']} left out.")

    def _send(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send until it is taken: every request of an import may be repeated."""
        for attempt in range(TRIES_MAX):
            try:
                answer = self._http.post(path, json=body)
            except httpx.TransportError as error:
                if attempt + 1 == TRIES_MAX:
                    raise ImportFailed(f"The server does not answer: {error}.") from error
            else:
                if answer.status_code < 500 or attempt + 1 == TRIES_MAX:
                    return self._answer(answer)
            self._pause(0.2 * 2**attempt)
        raise AssertionError("the last try returns or raises")

    @staticmethod
    def _answer(answer: httpx.Response) -> dict[str, Any]:
        content: dict[str, Any] = answer.json() if answer.content else {}
        if not answer.is_success:
            why = content.get("detail") or content.get("title") or answer.reason_phrase
            raise ImportFailed(f"The server says no ({content.get('code')}): {why}")
        return content


def _digest(file: Path) -> str:
    """Name a file by its content: the same file again is the same import."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:24]


def run(kind: str, file: Path, url: str, token: str, merchant: str | None) -> int:
    """Import a file into the server at `url`; returns the exit status."""
    headers = {"Authorization": f"Bearer {token}"}
    if merchant is not None:
        headers["Liveroom-Merchant"] = merchant
    console = Console()
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
        try:
            failed = Importer(http).run(kind, file, console)
        except ImportFailed as error:
            Console(stderr=True).print(f"liveroom: {error}", markup=False)
            return FAULTY
    return FAULTY if failed else 0
