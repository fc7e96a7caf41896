"""Mic links and PKs in real browsers: be seen and heard, be muted, change places, call apart."""

import os
import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shop, Visits, wait_true

pytestmark = [pytest.mark.slow, pytest.mark.browser]

ROUNDS = int(os.environ.get("LIVEROOM_TEST_ROUNDS", "1"))
"""How many calls are made one after another; `-s` prints how long each took to be seen."""

SEES_SLOT_1 = """async (known) => {
  const report = await window.peers.slice(known)[0].getStats()
  let decoded = 0
  report.forEach((row) => {
    if (row.type === 'inbound-rtp' && row.mid === '2') decoded = row.framesDecoded ?? 0
  })
  return decoded > 0
}"""

STATS = """async () => {
  const counts = {}
  for (const peer of window.peers) {
    const report = await peer.getStats()
    report.forEach((row) => {
      if (row.type !== 'inbound-rtp') return
      const mid = Number(row.mid)
      const key = `${mid % 2 === 0 ? 'v' : 'a'}${Math.floor(mid / 2)}`
      const value = row.kind === 'video' ? row.framesDecoded : row.totalSamplesReceived
      counts[key] = Math.max(counts[key] ?? 0, value ?? 0)
    })
  }
  return counts
}"""


def note_peers(page: Page) -> None:
    """Keep every peer connection, so that its statistics can be read."""
    page.add_init_script(
        """{
          window.peers = []
          const Real = RTCPeerConnection
          window.RTCPeerConnection = class extends Real {
            constructor(...given) { super(...given); window.peers.push(this) }
          }
        }"""
    )


def wait_media(page: Page, *keys: str) -> None:
    """Wait until pictures and sound of these slots keep coming."""
    before = page.evaluate(STATS)
    for _ in range(150):
        now = page.evaluate(STATS)
        if all(now.get(key, 0) > before.get(key, 0) + 5 for key in keys):
            return
        page.wait_for_timeout(100)
    raise AssertionError((keys, before, page.evaluate(STATS)))


def is_green(page: Page, selector: str) -> bool:
    """Chromium's fake camera paints green."""
    script = """(selector) => {
      const canvas = document.createElement('canvas')
      canvas.width = canvas.height = 8
      const context = canvas.getContext('2d')
      context.drawImage(document.querySelector(selector), 0, 0, 8, 8)
      return [...context.getImageData(1, 4, 1, 1).data.slice(0, 3)]
    }"""
    red, green, blue = page.evaluate(script, selector)
    return bool(green > red + 40 and green > blue + 40)


@pytest.fixture
def studio(shop: Shop, visits: Visits, request: pytest.FixtureRequest) -> Page:
    room = shop.room(re.sub(r"\W", "-", request.node.name)[:40])
    page = visits.studio(room, before=note_peers)
    page.room = room  # type: ignore[attr-defined]
    page.get_by_role("button", name="开始直播").click()
    expect(page.locator(".status.live")).to_be_visible()
    return page


def ask_for_mic(page: Page) -> None:
    page.get_by_role("button", name="连麦", exact=True).click()
    page.get_by_role("button", name="申请连麦").click()
    expect(page.get_by_role("dialog")).to_contain_text("第 1 位")


def come_on_stage(studio: Page, guest: Page, name: str) -> None:
    ask_for_mic(guest)
    studio.get_by_role("button", name=f"同意: {name}").click()
    expect(guest.get_by_role("dialog")).to_contain_text("大家正在看着你")
    guest.get_by_role("button", name="关闭", exact=True).click()


def test_a_guest_is_seen_and_heard_by_the_room_and_the_host(
    studio: Page, visits: Visits, shop: Shop
) -> None:
    room = studio.room  # type: ignore[attr-defined]
    guest = visits.viewer(room, "ann", name="Ann", before=note_peers)
    viewer = visits.viewer(room, "ben", before=note_peers)
    wait_media(viewer, "v0", "a0")
    come_on_stage(studio, guest, "Ann")
    wait_media(viewer, "v0", "a0", "v1", "a1")
    wait_media(studio, "v1", "a1")
    tile = '.tile[data-user="ann"]'
    expect(viewer.locator(tile)).to_contain_text("Ann")
    assert is_green(viewer, f"{tile} video")
    assert is_green(studio, '.row[data-user="ann"] video')
    muted = guest.evaluate("document.querySelector('.tile.mine video').muted")
    assert muted, "nobody hears themselves"

    studio.get_by_role("button", name="关闭 Ann 的画面").click()
    expect(viewer.locator(f"{tile} video")).to_be_hidden()
    before = viewer.evaluate(STATS)["v1"]
    viewer.wait_for_timeout(500)
    assert viewer.evaluate(STATS)["v1"] <= before + 5, "the server forwards no picture"
    wait_media(viewer, "a1")
    studio.get_by_role("button", name="恢复 Ann 的画面").click()
    wait_media(viewer, "v1", "a1")

    studio.get_by_role("button", name="让 Ann 上主位").click()
    expect(viewer.locator('.tile[data-user="host"]')).to_be_visible()
    wait_media(viewer, "v0", "a0", "v1", "a1")
    studio.get_by_role("button", name="回到主位").click()
    expect(viewer.locator(tile)).to_be_visible()

    studio.get_by_role("button", name="请 Ann 下麦").click()
    expect(viewer.locator(".tile")).to_have_count(0)
    expect(guest.locator(".notice").last).to_contain_text("连麦已结束")


def test_a_guest_leaves_by_themselves_and_may_be_declined(studio: Page, visits: Visits) -> None:
    room = studio.room  # type: ignore[attr-defined]
    guest = visits.viewer(room, "ann", name="Ann", before=note_peers)
    ask_for_mic(guest)
    studio.get_by_role("button", name="拒绝: Ann").click()
    expect(guest.locator(".notice").last).to_contain_text("没有同意")
    come_on_stage(studio, guest, "Ann")
    guest.get_by_role("button", name="连麦控制").click()
    guest.get_by_role("button", name="静音", exact=True).click()
    expect(guest.locator(".tile.mine .who svg")).to_have_count(1)
    guest.get_by_role("button", name="结束连麦").click()
    expect(guest.locator(".tile")).to_have_count(0)
    expect(studio.locator('.row[data-user="ann"]')).to_have_count(0)


def call_once(studio: Page, guest: Page) -> float:
    """Call, accept; return the milliseconds until the host sees the guest."""
    if studio.locator(".call.active").count():
        studio.get_by_role("button", name="结束私密连线").click()
        expect(studio.locator(".call")).to_have_count(0)
    known = studio.evaluate("window.peers.length")
    studio.get_by_role("button", name="与 Ann 私密连线").click()
    accept = guest.get_by_role("button", name="接听")
    accept.wait_for()
    fresh = f"window.peers.slice({known})"
    wait_true(studio, f"{fresh}.some((peer) => peer.connectionState === 'connected')")
    accept.click()
    accepted_at = time.monotonic()
    while not studio.evaluate(SEES_SLOT_1, known):
        assert time.monotonic() < accepted_at + 15
    return round((time.monotonic() - accepted_at) * 1000)


def test_a_private_call_is_for_two_and_ends_for_both(studio: Page, visits: Visits) -> None:
    room = studio.room  # type: ignore[attr-defined]
    guest = visits.viewer(room, "ann", name="Ann", before=note_peers)
    other = visits.viewer(room, "ben", before=note_peers)
    wait_media(other, "v0", "a0")
    ask_for_mic(guest)
    guest.get_by_role("button", name="关闭", exact=True).click()
    took_ms = [call_once(studio, guest) for _ in range(ROUNDS)]
    print(f"accepted to seen, ms: {sorted(took_ms)}")
    expect(studio.locator(".call.active")).to_contain_text("直播间看不到你们")
    wait_media(studio, "v1", "a1")
    wait_media(guest, "v0", "a0")
    expect(other.locator(".slate")).to_contain_text("主播正在私密连线")
    before = other.evaluate(STATS)
    other.wait_for_timeout(500)
    after = other.evaluate(STATS)
    assert after["v0"] <= before["v0"] + 5, "nobody else is sent a picture"
    guest.get_by_role("button", name="挂断").click()
    expect(other.locator(".slate")).to_have_count(0)
    wait_media(other, "v0", "a0")
    wait_media(guest, "v0", "a0")
    expect(studio.locator(".call")).to_have_count(0)


def test_two_rooms_have_a_pk_and_both_audiences_see_both_hosts(
    studio: Page, visits: Visits, shop: Shop
) -> None:
    room = studio.room  # type: ignore[attr-defined]
    rival_room = shop.room("pk-rival", merchant="default")
    rival = visits.studio(rival_room, before=note_peers)
    ours = visits.viewer(room, "ann", before=note_peers)
    theirs = visits.viewer(rival_room, "ben", before=note_peers)
    rival.get_by_role("button", name="开始直播").click()
    expect(rival.locator(".status.live")).to_be_visible()
    studio.locator(".pk select").first.focus()
    expect(studio.locator(f".pk option[value={rival_room}]")).to_have_count(1)
    studio.locator(".pk select").first.select_option(rival_room)
    studio.locator(".pk select").last.select_option("1")
    studio.get_by_role("button", name="发起 PK").click()
    expect(studio.locator(".pk")).to_contain_text("等待对方应战")
    rival.get_by_role("button", name="应战").click()
    for viewer in (ours, theirs):
        expect(viewer.locator(".rival video.playing")).to_be_visible()
        wait_media(viewer, "v0", "a0", "v1", "a1")
        assert is_green(viewer, ".rival video")
        expect(viewer.locator(".clock")).to_contain_text("0:")
    wait_media(studio, "v1", "a1")
    ours.get_by_role("button", name="点赞").click()
    expect(ours.locator(".ours")).to_have_text("11")
    expect(theirs.locator(".theirs")).to_have_text("11")
    rival.get_by_role("button", name="认输").click()
    expect(ours.locator(".own .badge")).to_have_text("胜")
    expect(theirs.locator(".own .badge")).to_have_text("负")
    expect(ours.locator(".rival")).to_have_count(0)
    expect(theirs.locator(".rival")).to_have_count(0)
    wait_media(ours, "v0", "a0")
