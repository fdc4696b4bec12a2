"""The desk's pages over a small district, asked for as a browser would, against a real database."""

import json
import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import httpx
import pytest
from xiapai_contracts.registry import PostingExtended, TermCompleted
from xiapai_contracts.terms import Category, Tier, UnitKind

from chassis.catalogue import mistakes
from services.projection.desk import texts
from services.projection.desk.static import assets
from tests.services.projection.desk_demo import desk_app
from tests.services.projection.story import Reader, Story

URL = "http://desk.local:8080"
HTMX = {"HX-Request": "true"}


class Browser:
    """Somebody's browser; cookies are kept, redirects are followed. That a posting is not shown is told by its cadre's
    name: letters as in `P1` also stand in a random token at times."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.csrf = ""

    async def log_in(self, subject: str = "demo-office-1", **other: str) -> httpx.Response:
        """Log in as one of the demo's people, or with a role and scope of one's own."""
        choice = await self.http.get("/", headers={"Accept": "text/html"})
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', choice.text.split("</form>")[0]))
        page = await self.http.post("/dev-issuer/authorize", data=hidden | (other or {"subject": subject}))
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert found, page.text
        self.csrf = found[1]
        return page

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers={"Accept": "text/html"} | headers)

    async def find(self, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        """Submit the roster's form."""
        return await self.http.post(
            "/roster", data=fields | {"csrf": self.csrf}, headers={"Origin": URL} | (headers or {})
        )


@pytest.fixture
async def browser(reader: Reader, story: Story, tmp_path: Path) -> AsyncIterator[Browser]:
    """A department, two towns with a village each, and who is posted there."""
    story.unit("D1", UnitKind.DISTRICT_DEPARTMENT, name="区林业局")
    story.unit("T1", UnitKind.TOWN, name="石鼓镇")
    story.unit("T2", UnitKind.TOWN, name="青竹镇")
    story.unit("V1", UnitKind.VILLAGE, "T1", name="青桥村")
    story.unit("V2", UnitKind.VILLAGE, "T2", name="柳塘村")
    for number, name in enumerate(("单砚生", "王禾平", "赵岚远", "何舟宁"), 1):
        story.person(f"R{number}", name)
    story.post("P1", "R1", "V1", sender_contact="R3", host_contact="R4")
    story.post("P2", "R2", "V2")
    story.post("P3", "R3", "T1", tier=Tier.CITY, category=Category.PUBLIC_ORDER_ENVOY)
    await reader.read(story)
    app = desk_app(reader.engine, tmp_path, URL, 8080)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=URL, follow_redirects=True) as http:
        yield Browser(http)


def value_of(page: httpx.Response, n: int) -> str:
    """What the tile of a figure shows."""
    tile = page.text[page.text.index(f'data-figure="{n}"') :]
    found = re.search(r'class="value">([^<]*)<', tile)
    assert found
    return found[1].strip()


async def test_a_stranger_is_sent_to_the_login_and_comes_back_to_the_page(browser: Browser) -> None:
    stranger = await browser.http.get("/roster", headers={"Accept": "text/html"}, follow_redirects=False)
    assert stranger.status_code == 302 and "/dev-issuer/authorize" in stranger.headers["location"]
    page = await browser.log_in()
    assert page.status_code == 200 and page.url.path == "/"


async def test_the_overview_shows_the_figures_with_scope_period_and_freshness(browser: Browser, story: Story) -> None:
    page = await browser.log_in()
    assert "全区下派工作概览" in page.text and "2026年上半年" in page.text
    assert f"registry@{story.head}" in page.text and "数据新鲜度" in page.text
    assert [value_of(page, n) for n in (1, 3, 6, 7, 17, 18, 23, 24)] == ["1", "1", "2", "2", "2", "0", "2026", "3"]
    assert "<meter" in page.text and "青竹镇" in page.text
    assert "区统计局" in page.text, "who owes the figures that nobody handed in"


async def test_a_figure_opens_onto_its_postings_and_their_events(browser: Browser) -> None:
    await browser.log_in()
    page = await browser.get("/figures/7?half=2026H1")
    for said in ("单砚生", "王禾平", "青桥村", "派驻提名", "到岗", "P1", "P2"):
        assert said in page.text
    assert "赵岚远" not in page.text
    part = await browser.get("/figures/7?half=2026H1", **HTMX)
    assert "<html" not in part.text and "单砚生" in part.text
    assert (await browser.get("/figures/99")).status_code == 404


async def test_an_owed_figure_says_so_and_who_owes_it(browser: Browser) -> None:
    await browser.log_in()
    page = await browser.get("/figures/37")
    assert "未填报" in page.text and "区统计局" in page.text


async def test_the_situation_report_has_all_42_blanks_in_order_and_fills_the_sentences(browser: Browser) -> None:
    await browser.log_in()
    page = await browser.get("/situation/2026H1")
    assert re.findall(r'id="figure-(\d+)"', page.text) == [str(n) for n in range(1, 43)]
    assert '农村工作指导员<b class="value">2</b>名' in page.text
    assert '<b class="value">3</b>号' in page.text and '同比增长<b class="owed">未填报</b>' in page.text


async def test_one_is_found_by_pinyin_by_initials_and_by_characters_and_the_name_stands_in_no_address(
    browser: Browser,
) -> None:
    await browser.log_in()
    for said in ("shan", "sys", "单", "shanyan"):
        page = await browser.find(q=said)
        assert "单砚生" in page.text and "王禾平" not in page.text, said
        assert page.headers["HX-Push-Url"] == "/roster"
    assert "王禾平" in (await browser.get("/roster?q=单砚生")).text, "a name in an address is not looked at"


async def test_the_roster_is_filtered_by_a_unit_with_all_below_it(browser: Browser) -> None:
    await browser.log_in()
    for said in ("T1", "T1 石鼓镇", "石鼓镇"):
        page = await browser.find(unit=said)
        assert "单砚生" in page.text and "P3" in page.text and "王禾平" not in page.text, said
        assert page.headers["HX-Push-Url"] == "/roster?unit=" + said.replace(" ", "+").replace(
            "石鼓镇", "%E7%9F%B3%E9%BC%93%E9%95%87"
        )
    assert "没有找到唯一的单位" in (await browser.find(unit="镇")).text
    page = await browser.get("/roster?unit=T1&tier=CITY")
    assert "P3" in page.text and "单砚生" not in page.text


async def test_a_long_roster_goes_on_page_by_page(browser: Browser, reader: Reader, story: Story) -> None:
    for number in range(60):
        story.person(f"X{number:02d}", "王禾平")
        story.post(f"Q{number:02d}", f"X{number:02d}", "V1")
    await reader.read(story)
    await browser.log_in()
    first = await browser.find()
    cursor = re.search(r'name="cursor" value="([^"]+)"', first.text)
    assert cursor
    second = await browser.find(HTMX, cursor=cursor[1], status="serving")
    posted = [re.findall(r"/roster/([PQ]\d+)", page.text) for page in (first, second)]
    seen = [set(codes) for codes in posted]
    assert len(seen[0]) == 50 and len(seen[1]) == 13 and not seen[0] & seen[1]
    assert "<html" not in second.text
    foreign = await browser.find(HTMX, cursor=cursor[1], status="serving", unit="T1")
    assert foreign.status_code == 400, "a cursor belongs to its filters"


async def test_a_posting_shows_both_accountable_persons_and_what_was_recorded(
    browser: Browser, reader: Reader, story: Story
) -> None:
    before = story.head
    story.tell(PostingExtended(posting="P1", ends=date(2028, 6, 30)))
    await reader.read(story)
    await browser.log_in()
    page = await browser.get("/roster/P1")
    assert "赵岚远" in page.text and "何舟宁" in page.text
    assert "派驻延期" in page.text and "<del>2027年12月31日</del> → <ins>2028年6月30日</ins>" in page.text
    then = await browser.get(f"/roster/P1?known={before}")
    assert "派驻延期" not in then.text and "2027年12月31日" in then.text and "时所知" in then.text


async def test_as_of_another_day_another_is_in_post(browser: Browser, reader: Reader, story: Story) -> None:
    story.tell(TermCompleted(posting="P2", on=date(2026, 3, 31)))
    await reader.read(story)
    await browser.log_in()
    assert "王禾平" not in (await browser.get("/roster")).text
    assert "王禾平" in (await browser.get("/roster?day=2026-03-31")).text
    for wrong in ("/roster?day=gestern", "/roster?known=bald", "/situation/2026H3", "/roster?category=POET"):
        refused = await browser.get(wrong)
        assert refused.status_code == 400 and "回到首页" in refused.text, wrong


async def test_a_clerk_sees_their_own_units_alone(browser: Browser) -> None:
    page = await browser.log_in(role="clerk", unit="T1", categories="", person="")
    assert "石鼓镇及其下级单位" in page.text and (value_of(page, 6), value_of(page, 7)) == ("1", "1")
    assert "<meter" not in page.text, "what is reached within a scope is no share of the whole district"
    assert "青竹镇" not in page.text
    roster = await browser.get("/roster")
    assert "单砚生" in roster.text and "王禾平" not in roster.text
    hidden = await browser.get("/roster/P2")
    assert hidden.status_code == 404 and "没有找到" in hidden.text and "王禾平" not in hidden.text
    refused = await browser.get("/import")
    assert refused.status_code == 403 and "下派办" in refused.text and 'href="/import"' not in page.text


async def test_an_operator_sees_figures_and_no_names(browser: Browser) -> None:
    page = await browser.log_in("demo-operator-1")
    assert value_of(page, 6) == "2"
    for path in ("/roster", "/roster/P1", "/figures/7", "/units/T1"):
        seen = await browser.get(path)
        assert seen.status_code == 200
        assert not re.search(r"单砚生|王禾平|赵岚远|何舟宁|(?<![\w-])R[1-4](?![\w-])", seen.text), path
    assert 'name="q"' not in (await browser.get("/roster")).text
    by_name = await browser.find(q="shan")
    assert "P2" in by_name.text, "what may not be seen is not searched either"


async def test_the_tree_of_units_says_how_many_serve_where(browser: Browser) -> None:
    await browser.log_in()
    page = await browser.get("/units")
    town = re.search(r'href="/units/T1".*?</a>', page.text, re.DOTALL)
    assert town and "<b>2</b>" in town[0]
    office = re.search(r'href="/units/D1".*?</a>', page.text, re.DOTALL)
    assert office and '<b class="away">3</b>' in office[0]
    one = await browser.get("/units/V1")
    assert "石鼓镇" in one.text and "单砚生" in one.text
    assert (await browser.get("/units/NONE")).status_code == 404
    options = await browser.get("/units/options?unit=青", **HTMX)
    assert re.findall(r'value="([^"]+)"', options.text) == ["T2 青竹镇", "V1 青桥村"]


async def test_only_who_has_the_token_of_the_page_logs_out(browser: Browser) -> None:
    await browser.log_in()
    assert (await browser.http.post("/logout", headers={"Origin": URL})).status_code == 403
    done = await browser.http.post(
        "/logout", data={"csrf": browser.csrf}, headers={"Origin": URL}, follow_redirects=False
    )
    assert done.status_code == 303
    again = await browser.http.get("/", headers={"Accept": "text/html"}, follow_redirects=False)
    assert again.status_code == 302


async def test_pages_are_kept_nowhere_and_run_nothing_but_our_own_files(browser: Browser) -> None:
    page = await browser.log_in()
    assert page.headers["Cache-Control"] == "no-store"
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy and "default-src 'none'" in policy
    for path in ("/", "/roster", "/situation/2026H1", "/units", "/import", "/figures/7", "/roster/P1"):
        html = (await browser.get(path)).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", html), path
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', html), path


async def test_files_are_sent_compressed_and_kept_for_ever_under_their_hash(browser: Browser) -> None:
    page = await browser.log_in()
    addresses = set(re.findall(r'"(/static/[^"]+)"', page.text))
    assert len(addresses) >= 5
    for address in addresses:
        answer = await browser.http.get(address)
        assert answer.status_code == 200 and "immutable" in answer.headers["Cache-Control"], address
        assert answer.headers["Content-Encoding"] == "gzip"
    assert (await browser.http.get("/static/desk.000000000000.css")).status_code == 404


def test_the_vendored_files_are_those_that_versions_names() -> None:
    import hashlib

    folder = Path(texts.__file__).parent / "static" / "vendor"
    lines = [line.split() for line in (folder / "VERSIONS").read_text().splitlines() if re.match("[0-9a-f]{64} ", line)]
    named = {name: digest for digest, name in lines}
    scripts = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.suffix in (".js", ".css")
    }
    assert scripts and named == scripts


def test_every_word_on_a_template_is_in_the_catalogue_and_every_refusal_says_what_to_do() -> None:
    folder = Path(texts.__file__).parent
    used = {
        code
        for file in [*folder.glob("templates/*.html"), *folder.glob("*.py")]
        for code in re.findall(r'\b(?:zh|en|both|row)\("([a-z-]+)"[,)]', file.read_text())
    }
    assert used and not used - set(texts.WORDS)
    assert mistakes(texts.REFUSALS) == []
    assert set(texts.FIELDS.values()) <= set(texts.WORDS)
    assert assets()


async def test_the_stream_says_at_once_where_it_stands_and_then_what_moves(
    browser: Browser, reader: Reader, story: Story
) -> None:
    from services.projection.desk.changes import Watch

    watch = Watch(reader.engine)
    stream = watch.follow(30)
    first = await anext(stream)
    assert first is not None and first.endswith(f":{story.head}")
    story.person("R9", "李渔言")
    story.post("P9", "R9", "V1")
    await reader.read(story)
    second = await anext(stream)
    assert second is not None and second.endswith(f":{story.head}")
    await stream.aclose()
    assert watch._task is None, "nobody looks where nobody follows"
    stranger = await browser.http.get("/changes", headers={"Accept": "text/event-stream"})
    assert stranger.status_code == 401 and json.loads(stranger.text)["code"] == "token-missing"


async def test_a_browser_at_no_address_of_ours_sees_a_page_and_a_program_a_problem(browser: Browser) -> None:
    page = await browser.get("/rooster")
    assert page.status_code == 404 and page.headers["content-type"].startswith("text/html")
    assert "没有这个地址" in page.text
    problem = await browser.http.get("/rooster", headers={"Accept": "application/json"})
    assert problem.status_code == 404 and problem.json()["code"] == "route-not-found"


async def test_the_interface_is_described_without_asking_any_other_address(browser: Browser) -> None:
    page = await browser.get("/docs")
    assert page.status_code == 200 and "script-src 'self'" in page.headers["content-security-policy"]
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) >= 4 and all(address.startswith("/") for address in addresses)
    for address in addresses:
        assert (await browser.http.get(address)).status_code == 200, address
