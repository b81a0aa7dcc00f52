"""REPORT.html as a reader's browser shows it."""

import shutil
import time
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from test_report import COMMITTED, alone, folder_of

from conftest import missing
from reproductions import report
from reproductions.evidence.snapshot import Snapshot

try:
    from playwright import sync_api
except ImportError:
    missing("playwright is not installed: no browser here", module=True)

WIDE, NARROW = {"width": 1366, "height": 850}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def chromium():
    """Debian's, or another under that name."""
    found = shutil.which("chromium")
    if found is None:
        missing("there is no chromium on the path")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The committed records' report, written anew."""
    page, *_ = report.write(Snapshot(COMMITTED.folder), tmp_path_factory.mktemp("page"))
    return page


@pytest.fixture
def opened(chromium, written):
    """Opens a page; afterwards: nothing was said on its console, and it asked for nothing."""
    said, asked, pages = [], [], []

    def open_(path=written, **options):
        page = chromium.new_page(**{"viewport": WIDE, **options})
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_
    for page in pages:
        page.close()
    assert said == []
    assert all(url.startswith("file:") and url.endswith("REPORT.html") for url in asked)


def shown(page):
    return page.locator("#verdicts tbody tr:not(.hidden)")


def test_it_loads_in_a_second_and_is_small(opened, written):
    started = time.monotonic()
    page = opened()
    assert time.monotonic() - started < 5  # a loaded machine; benchmarks have the second
    assert page.title() == "What the runs say"
    assert written.stat().st_size < 3_000_000


def test_the_table_is_filtered_by_verdict_kind_and_words(opened):
    page = opened()
    every = shown(page).count()
    assert page.locator("#count").inner_text() == f"{every} of {every} statements"
    for word in ("REPRODUCED", "INCONCLUSIVE", "NOT RUN"):
        page.get_by_label(word, exact=True).uncheck()
    refuted = shown(page).count()
    assert 0 < refuted < every
    assert set(shown(page).locator(".badge").all_inner_texts()) == {"CONTRADICTED"}
    page.get_by_label("Kind").select_option("numeric")
    assert 0 < shown(page).count() < refuted
    page.get_by_role("button", name="Show all").click()
    sync_api.expect(page.locator("#count")).to_have_text(f"{every} of {every} statements")
    page.get_by_label("Search").fill("googlenet-params")
    assert shown(page).count() == 3
    page.get_by_label("Search").fill("no such words")
    assert page.locator("#count").inner_text() == f"0 of {every} statements"


def test_it_is_used_by_keyboard_alone(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the table of verdicts"
    page.get_by_label("Search").focus()
    page.keyboard.type("bn-modes")
    assert shown(page).count() == 5
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "CONTRADICTED"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert shown(page).count() == 0  # all of them are reproduced
    summary = page.locator("section.claim summary", has_text="Rule").first
    summary.focus()
    page.keyboard.press("Enter")
    assert summary.evaluate("s => s.parentElement.open")


def test_refutations_come_first_and_the_flagship_is_in_one_screen(opened):
    page = opened()
    assert shown(page).first.locator(".badge").inner_text() == "CONTRADICTED"
    box = page.locator(".story").bounding_box()
    assert box["y"] + box["height"] < WIDE["height"]


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_text_is_legible(opened, viewport, scheme):
    page = opened(viewport=viewport, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    for selector in ("p", ".badge.contradicted", ".badge.reproduced", ".quiet", "a", "figure text"):
        colours = page.locator(selector).first.evaluate(
            "e => [getComputedStyle(e).fill, getComputedStyle(e).color,"
            " getComputedStyle(document.body).backgroundColor]"
        )
        fill, colour, ground = colours
        assert contrast(fill if selector == "figure text" else colour, ground) >= 4.5, selector


def contrast(one, other):
    """Of two colours, as WCAG 2 has it."""

    def luminance(text):
        channels = [int(c) / 255 for c in text[text.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_figures_have_names_and_headings_an_order(opened):
    page = opened()
    figures = page.locator("figure svg")
    assert figures.count() >= 4
    for i in range(figures.count()):
        name = figures.nth(i).get_attribute("aria-labelledby")
        assert page.locator(f"[id='{name}']").text_content()
    levels = page.locator("h1, h2, h3").evaluate_all("es => es.map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_it_is_read_without_a_script_and_printed_whole(chromium, written):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(written.as_uri())
    assert page.locator(".filters").is_hidden()
    assert page.locator("#verdicts tbody tr").first.is_visible()
    context.close()
    page = chromium.new_page()
    page.goto(written.as_uri())
    assert page.pdf()[:4] == b"%PDF"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    page.close()


def test_what_records_hold_is_shown_and_never_run(opened, tmp_path):
    """A name, a reason and a machine's name that are markup."""
    evil = "<script>document.title = 'taken'</script><img src=x onerror=alert(1)>]]>"
    store = folder_of(tmp_path, diverge=("plain-56", 5), reason=evil, cpu=evil)
    path, *_ = report.write(alone(store), tmp_path / "out")
    page = opened(path)
    assert page.title() == "What the runs say"
    page.locator("summary", has_text="All").click()
    assert page.get_by_text("document.title = 'taken'").count() > 0
    assert page.locator("main script, main img").count() == 0


def test_the_policy_stops_a_script_that_got_in(chromium, written, tmp_path):
    """The control: without the policy the same page would be taken over."""
    text = written.read_text()
    evil = "<script>document.title = 'taken'</script></main>"
    path = tmp_path / "REPORT.html"
    path.write_text(text.replace("</main>", evil))
    bare = tmp_path / "BARE.html"
    bare.write_text(path.read_text().replace("Content-Security-Policy", "x-none"))
    titles = []
    for each in (path, bare):
        page = chromium.new_page()
        page.goto(each.as_uri())
        titles.append(page.title())
        page.close()
    assert titles == ["What the runs say", "taken"]


class Tags(HTMLParser):
    """Open tags and ids; raises where they are not closed in their order."""

    VOID = {"meta", "input", "br", "link", "img", "hr"}

    def __init__(self):
        super().__init__()
        self.open, self.ids = [], []

    def handle_starttag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_tags_are_closed_and_ids_are_unique(written):
    tags = Tags()
    tags.feed(written.read_text())
    assert tags.open == []
    assert len(set(tags.ids)) == len(tags.ids)
