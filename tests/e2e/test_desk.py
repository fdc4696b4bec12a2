"""The desk in a real browser, over the demo district: clicked through as the office, a clerk, and a phone would."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect

from deploy.demo import build
from ledger.database import connect
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.services.projection.desk_demo import desk_app, project, tell
from tests.services.projection.story import Reader, Story

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
expect.set_options(timeout=30_000)  # milliseconds: the patience of a test on a busy machine
PHONE = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 900}
PAGES = (
    "/",
    "/figures/7",
    "/situation/2026H1",
    "/roster",
    "/roster/P000001",
    "/units",
    "/units/J0005",
    "/import",
    "/roster/NONE",
)


@dataclass
class Desk:
    """The served desk, and what is told to it."""

    url: str
    browser: Browser
    story: Story
    reader: Reader
    wrong: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def visit(self, who: str, size: dict[str, int] = WIDE, script: bool = True) -> AsyncIterator[Page]:
        """Somebody logs in. Afterwards the page must have complained of nothing and asked nobody else."""
        wrong: list[str] = []
        context = await self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]}, java_script_enabled=script, locale="zh-CN"
        )
        page = await context.new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(self.url) else wrong.append(asked.url))
        await page.goto(self.url)
        await page.click(f'button[value="{who}"]')
        await expect(page.locator("h1")).to_contain_text("下派工作概览")
        yield page
        await context.close()
        assert wrong == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(infra: Infra, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    databases = Databases(infra.postgres)
    engine = connect(databases())
    story = Story()
    tell(story, build())
    reader = await project(engine, story)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        app = desk_app(engine, Path(tmp_path_factory.mktemp("desk")), url, port)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            yield Desk(url, browser, story, reader)
            await browser.close()
        server.should_exit = True
        await serving
    await engine.dispose()
    databases.drop_all()


async def test_the_office_clicks_from_a_figure_to_a_posting_and_logs_out(desk: Desk) -> None:
    async with desk.visit("demo-office-1") as page:
        figure = page.locator('[data-figure="7"]')
        await expect(figure).to_contain_text("412")
        await expect(page.locator('[data-figure="6"]')).to_contain_text("1,086")
        await expect(page.locator(".chart canvas").first).to_be_visible()

        await figure.click()
        drawer = page.locator("dialog[open]")
        await expect(drawer.locator("h1")).to_have_text("农村工作指导员")
        await expect(drawer.locator(".behind > li")).to_have_count(21)  # twenty, and the button for more
        await drawer.locator(".behind details summary").first.click()
        await expect(drawer.locator(".events li").first).to_contain_text("派驻提名")
        await drawer.locator(".more a").click()
        await expect(drawer.locator(".behind > li")).to_have_count(41)
        await page.keyboard.press("Escape")
        await expect(drawer).to_have_count(0)

        await page.click("nav.tabs >> text=花名册")
        await page.fill("input[name=q]", "shan")
        await page.click("#finder .primary")
        await expect(page.locator(".roster tbody tr")).to_have_count(1)
        await expect(page.locator(".roster .person")).to_have_text("单砚生")
        assert "shan" not in page.url

        await page.fill("input[name=q]", "")
        await page.select_option("select[name=category]", "SUPPORT_DOCTOR")
        await page.select_option("select[name=tier]", "CITY")
        await page.click("#finder .primary")
        await expect(page.locator(".roster tbody tr")).to_have_count(12)
        assert "category=SUPPORT_DOCTOR" in page.url

        await page.locator(".roster .person").first.click()
        await expect(drawer.locator("h2").first).to_contain_text("两头责任人")
        await expect(drawer.locator(".history > li")).to_have_count(3)
        await drawer.locator(".close").click()

        await page.click("text=退出")
        await expect(page.locator("h1")).to_have_text("选择登录身份")


async def test_a_clerk_sees_the_town_and_what_lies_below_it(desk: Desk) -> None:
    async with desk.visit("demo-clerk-1") as page:
        await expect(page.locator("h1")).to_contain_text("石鼓镇及其下级单位")
        await expect(page.locator("nav.tabs")).not_to_contain_text("导入")
        await page.goto(desk.url + "/roster")
        await expect(page.locator(".roster tbody tr:not(.more)")).to_have_count(50)
        hosts = await page.locator(".roster tbody td[data-label='接收单位']").all_inner_texts()
        assert len(hosts) == 50
        await page.goto(desk.url + "/units/J0006")
        await expect(page.locator(".tile.whole").first).to_contain_text("0")


@pytest.mark.parametrize("size", [PHONE, {"width": 390, "height": 844}, WIDE])
async def test_no_page_is_wider_than_the_screen(desk: Desk, size: dict[str, int]) -> None:
    context = await desk.browser.new_context(viewport={"width": size["width"], "height": size["height"]})
    page = await context.new_page()
    await page.goto(desk.url)
    await page.click('button[value="demo-office-1"]')
    for path in PAGES:
        await page.goto(desk.url + path)
        over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, path
        small = await page.evaluate(
            """[...document.querySelectorAll('button, nav.tabs a, .tile, input:not([type=hidden]):not([type=checkbox]), select')]
               .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 40)
               .map((one) => one.outerHTML.slice(0, 80))"""
        )
        assert small == [], path
    await context.close()


async def test_without_script_one_still_reads_searches_and_turns_the_page(desk: Desk) -> None:
    async with desk.visit("demo-office-1", script=False) as page:
        await page.click('[data-figure="2"]')
        await expect(page.locator(".behind > li")).to_have_count(21)
        await page.goto(desk.url + "/roster")
        first = await page.locator(".roster .code").all_inner_texts()
        await page.click(".more button")
        second = await page.locator(".roster .code").all_inner_texts()
        assert len(first) == len(second) == 50 and not set(first) & set(second)
        await page.fill("input[name=q]", "仇溪宁")
        await page.click("#finder .primary")
        await expect(page.locator(".roster .person")).to_have_text("仇溪宁")


async def test_what_comes_in_shows_without_reloading_and_without_losing_the_place(desk: Desk) -> None:
    async with desk.visit("demo-office-1") as page:
        await expect(page.locator('[data-figure="7"]')).to_contain_text("412")
        await page.evaluate("window.stays = true; window.scrollTo(0, 700)")
        desk.story.person("N000001", "钱渔朗", "0001")
        desk.story.post("PN00001", "N000001", "C00001", sender="0001")
        await desk.reader.read(desk.story)
        await expect(page.locator('[data-figure="7"]')).to_contain_text("413")
        await expect(page.locator("#fresh")).to_contain_text(f"registry@{desk.story.head}")
        assert await page.evaluate("window.stays && Math.abs(window.scrollY - 700) < 5")
        await expect(page.locator(".chart canvas").first).to_be_visible()


async def test_every_control_has_a_name_and_the_drawer_is_worked_by_keys(desk: Desk) -> None:
    async with desk.visit("demo-inspector-1", PHONE) as page:
        for path in ("/", "/roster", "/situation/2026H1", "/units"):
            await page.goto(desk.url + path)
            nameless = await page.evaluate(
                """[...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')]
                   .filter((one) => !(one.textContent.trim() || one.labels?.length || one.getAttribute('aria-label')))
                   .map((one) => one.outerHTML.slice(0, 80))"""
            )
            assert nameless == [], path
        await page.goto(desk.url)
        await page.focus('[data-figure="10"]')
        await page.keyboard.press("Enter")
        await expect(page.locator("dialog[open] h1")).to_have_text("法制副校长")
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog[open]")).to_have_count(0)
        focused = await page.evaluate("document.activeElement.dataset.figure")
        assert focused == "10"
        assert urlsplit(page.url).path == "/"
