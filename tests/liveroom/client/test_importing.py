"""`liveroom import`: a CSV file goes in, is told by line, and goes on after an interruption."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from liveroom.client.importing import Importer, ImportFailed, chunks, read_rows
from tests.liveroom.edge.api_house import open_house

MEMBERS = """id,name,age_band,coins,public_orders
ann,安,adult,70,yes
bo,,minor,,no
cy,西,grown,1,
ann,again,adult,5,
"""
ORDERS = """id,user,paid_at,product,title,quantity,unit_price
o1,ann,2026-01-02T03:04:05+08:00,tea,龙井,2,12800
o1,ann,2026-01-02T03:04:05+08:00,cup,盖碗,1,8900
o2,bo,1767294245000,tea,龙井,x,12800
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "rows.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_cells_get_their_types_and_an_order_s_lines_come_together(tmp_path: Path) -> None:
    first, *_ = read_rows("members", write(tmp_path, MEMBERS))
    assert (first.line, first.row["coins"], first.row["public_orders"]) == (2, 70, True)
    orders = list(read_rows("orders", write(tmp_path, ORDERS)))
    assert [(one.line, len(one.row["lines"])) for one in orders] == [(2, 2), (4, 1)]
    assert orders[0].row["paid_at"] == 1_767_294_245_000
    assert orders[1].row["lines"][0]["quantity"] == "x"


@pytest.mark.parametrize(
    ("text", "why"),
    [("name\nann\n", "no column id"), ("id,name\n\xff", "UTF-8"), ("", "no column id")],
)
def test_a_file_that_is_none_says_so(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ImportFailed, match=why):
        list(read_rows("members", file))


def test_chunks_are_bounded_and_leave_out_what_is_done(tmp_path: Path) -> None:
    text = "id,name\n" + "".join(f"u{number},{'n' * 50}\n" for number in range(1_000))
    cut = list(chunks(read_rows("members", write(tmp_path, text)), 10))
    assert (cut[0][0], sum(len(rows) for _, rows in cut)) == (10, 990)
    assert all(len(json.dumps(rows)) < 60_000 and len(rows) <= 200 for _, rows in cut)


class Bridge(httpx.BaseTransport):
    """Lets a synchronous client ask the app of the tests; it may cut the line."""

    def __init__(self, portal: Any, cut_after: int = 10**9) -> None:
        self.portal = portal
        self.left = cut_after

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.left <= 0:
            raise httpx.ConnectError("cut")
        self.left -= 1
        headers = {k: v for k, v in request.headers.items() if k != "host"}
        status, body = self.portal(request.method, request.url.path, headers, request.read())
        return httpx.Response(status, content=body)


async def test_the_command_imports_says_what_was_wrong_and_goes_on(tmp_path: Path) -> None:
    import asyncio

    async with open_house(tmp_path) as house:
        loop = asyncio.get_running_loop()
        token = house.token("merchant", room="*", user="boss")

        def portal(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
            async def ask() -> Any:
                kwargs = {"json": json.loads(body)} if body else {}
                answer = await house.ask(method, path, token=token, **kwargs)
                return answer.status_code, answer.content

            return asyncio.run_coroutine_threadsafe(ask(), loop).result(30)

        def run(kind: str, text: str, cut_after: int = 10**9) -> tuple[int, str]:
            out = Console(file=io.StringIO(), width=120)
            transport = Bridge(portal, cut_after)
            with httpx.Client(transport=transport, base_url="http://test") as http:
                failed = Importer(http, pause=lambda _: None).run(kind, write(tmp_path, text), out)
            return failed, out.file.getvalue()

        with pytest.raises(ImportFailed, match="does not answer"):
            await asyncio.to_thread(run, "members", MEMBERS, 1)
        failed, shown = await asyncio.to_thread(run, "members", MEMBERS)
        assert failed == 2
        assert "line 4: invalid" in shown
        assert "line 5: exists" in shown
        assert "2 imported, 2 left out." in shown
        again, shown = await asyncio.to_thread(run, "members", MEMBERS)
        assert again == 2
        assert "2 imported" in shown
        failed, shown = await asyncio.to_thread(run, "orders", ORDERS)
        assert failed == 1
        assert "line 4: invalid: lines[0].quantity" in shown
