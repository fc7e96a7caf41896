"""Names, titles and texts that are markup are shown as they are, and run nowhere."""

import json

import pytest
from playwright.sync_api import Page
from websockets.sync.client import connect

from tests.browser.conftest import DESKTOP, Shop, Visits

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PROBE = "window.owned = 0; window.addEventListener('owned', () => { window.owned += 1 })"
IMAGE = "<img src=x onerror=dispatchEvent(new Event('owned'))>"
MARKUP = [
    IMAGE,
    "<script>dispatchEvent(new Event('owned'))</script>",
    "<svg onload=dispatchEvent(new Event('owned'))>",
    '"><iframe srcdoc="<script>parent.owned=9</script>">',
    "{{constructor.constructor('owned=1')()}}${owned=1}",
    "javascript:owned=1//<a href=javascript:owned=1>x</a>",
]
PLANTED = (
    "() => [...document.querySelectorAll('*')].filter(one => "
    "[...one.attributes].some(at => at.name.startsWith('on') || /^javascript:/i.test(at.value)) "
    "|| one.hasAttribute('srcdoc')).map(one => one.outerHTML.slice(0, 200))"
)


def prepare(page: Page) -> None:
    page.add_init_script(PROBE)
    page.on("dialog", lambda dialog: dialog.dismiss())


def say_all(shop: Shop, room: str) -> None:
    """Let somebody whose name is markup come in, talk and give."""
    for number, text in enumerate(MARKUP):
        user = f"x{number}"
        shop.server.member(user, coins=5, name=text[:64])
        shop.order(f"{room}-{number}-a", user, room, f"{room}-p0", 100)
        token = shop.server.token(user, name=text[:64])
        with connect(shop.server.gateway) as guest:
            guest.send(json.dumps({"t": "hello", "token": token, "room": room}))
            guest.recv()
            for frame in (
                {"t": "say", "id": f"s{number}", "text": text[:100]},
                {"t": "gift", "id": f"g{number}", "gift": "rose", "count": 1},
            ):
                guest.send(json.dumps(frame))
                while json.loads(guest.recv()).get("id") != frame["id"]:
                    pass
        shop.order(f"{room}-{number}-b", user, room, f"{room}-p0", 100)


def test_markup_in_names_titles_and_texts_runs_on_no_page(shop: Shop, visits: Visits) -> None:
    room = "markup"
    shop.server.room(room, title=MARKUP[0], host="host")
    for number, title in enumerate(MARKUP):
        shop.product(f"{room}-p{number}", title, 100)
    shop.pin(room, f"{room}-p0")
    server = shop.server
    pages = {
        "viewer": visits.open(f"/r/{room}", server.token("v", name=IMAGE), before=prepare),
        "studio": visits.open(
            f"/studio/{room}",
            server.token("host", "host", name=IMAGE),
            size=DESKTOP,
            before=prepare,
        ),
        "board": visits.open(
            f"/board/{room}", server.token("boss", "merchant"), size=DESKTOP, before=prepare
        ),
        "landing": visits.open("/", size=DESKTOP, before=prepare),
    }
    pages["viewer"].locator(".dot.good").wait_for()
    pages["studio"].locator(".online").wait_for()
    say_all(shop, room)
    for name in ("viewer", "studio"):
        pages[name].get_by_text(MARKUP[5], exact=False).first.wait_for(state="attached")
    for name, page in pages.items():
        assert page.evaluate("window.owned") == 0, name
        assert page.evaluate(PLANTED) == [], name
        page.evaluate("dispatchEvent(new Event('owned'))")
        assert page.evaluate("window.owned") == 1, f"the probe of {name} is deaf"


@pytest.mark.parametrize("page", ["/", "/r/markup", "/studio/markup", "/board/markup"])
def test_no_page_lets_foreign_scripts_run_or_frames_hold_it(
    shop: Shop, visits: Visits, page: str
) -> None:
    opened = visits.open(page, before=prepare)
    refused = opened.evaluate(
        """async () => {
            const told = new Promise(tell => addEventListener('securitypolicyviolation',
                event => tell(event.effectiveDirective), { once: true }))
            const script = document.createElement('script')
            script.textContent = "dispatchEvent(new Event('owned'))"
            document.head.append(script)
            return await told
        }"""
    )
    assert refused.startswith("script-src")
    assert opened.evaluate("window.owned") == 0
    answer = opened.request.get(shop.server.base + page)
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-eval'" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    visits.errors.clear()  # the refusal itself
