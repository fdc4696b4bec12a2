"""The office imports a workbook in the browser, through the whole system, and sees it on the pages."""

from pathlib import Path

from openpyxl import load_workbook
from playwright.async_api import Page, async_playwright, expect

from deploy.demo import District, build, write_workbook
from tests.e2e.system import System
from tests.e2e.test_desk import ARGUMENTS, WIDE


def a_few(postings: int) -> District:
    """The first postings of the demo district, with all that they need; the last one's cadre is left out."""
    whole = build()
    taken = whole.postings[:postings]
    persons = {row.person for row in taken[:-1]}
    needed = {code for row in taken for code in (row.sender, row.host)}
    needed |= {cadre.sender for cadre in whole.cadres if cadre.code in persons}
    for _ in range(3):
        needed |= {unit.parent for unit in whole.units if unit.code in needed and unit.parent}
    units = [unit for unit in whole.units if unit.code in needed]
    return District(units, [cadre for cadre in whole.cadres if cadre.code in persons], [], taken)


async def import_(page: Page, url: str, workbook: Path, dry_run: bool) -> None:
    await page.goto(url + "/import")
    await page.set_input_files("input[type=file]", workbook)
    await page.set_checked("input[name=dry_run]", dry_run)
    await page.click("#import .primary")
    await expect(page.locator("#import-result")).to_be_visible(timeout=60_000)


async def test_a_workbook_is_tried_then_imported_and_its_refused_row_comes_back_with_the_reason(
    whole: System, chromium: str, tmp_path: Path
) -> None:
    workbook = tmp_path / "台账.xlsx"
    write_workbook(workbook, a_few(6))
    whole.start()
    whole.until_ready()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = await browser.new_context(viewport={"width": WIDE["width"], "height": WIDE["height"]})
        page = await context.new_page()
        await page.goto(whole.url)
        await page.click('button[value="demo-office-1"]')

        await import_(page, whole.url, workbook, dry_run=True)
        await expect(page.locator("#import-result h2")).to_have_text("检查完成，没有登记任何内容")
        row = page.locator("#import-result tbody tr", has_text="派驻").locator("td")
        assert await row.all_inner_texts() == ["5", "0", "0", "1"]

        await import_(page, whole.url, workbook, dry_run=False)
        await expect(page.locator("#import-result h2")).to_have_text("导入完成")
        assert await row.all_inner_texts() == ["5", "0", "0", "1"]
        async with page.expect_download() as download:
            await page.click("[data-back]")
        await (await download.value).save_as(tmp_path / "回执.xlsx")
        back = load_workbook(tmp_path / "回执.xlsx", read_only=True)["派驻"]
        last = [cell.value for cell in list(back.iter_rows())[-1]]
        assert "未通过" in last

        await page.goto(whole.url + "/roster?status=all")
        await expect(page.locator(".roster tbody tr")).to_have_count(5)
        await browser.close()
