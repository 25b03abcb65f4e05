"""The site in a real browser: opt-in, it runs where playwright (from PyPI) and Chromium are installed."""

import pathlib
import shutil

import pytest

from mininet.course.site.build import build

REPOSITORY = pathlib.Path(__file__).parents[2]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")]

SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

WIDE = """() => {
    const wide = document.documentElement.scrollWidth - innerWidth;
    const outside = [...document.querySelectorAll("main *")]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("pre, .scrolls, .formula, .long"));
    return wide > 0 ? `${wide} px too wide` : outside.length ? `outside: ${outside[0].outerHTML.slice(0, 200)}` : "";
}"""
BROKEN = """() => [...document.images].filter(e => !e.complete || !e.naturalWidth).map(e => e.src)"""
EMPTY = """() => {
    document.querySelectorAll("details").forEach(e => e.open = true);
    return [...document.querySelectorAll("math")].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width < 2 || box.height < 5;
    }).map(e => e.textContent);
}"""
UNNAMED = """() => [...document.querySelectorAll("a[href], summary, img")]
    .filter(e => !(e.textContent.trim() || e.alt || e.ariaLabel || e.querySelector("img[alt]")))
    .map(e => e.outerHTML)"""
FOLDED = """() => [...document.querySelectorAll("main details")].every(e => !e.open)"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    build(REPOSITORY, folder)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with playwright.sync_playwright() as run:
        started = run.chromium.launch(executable_path=BROWSER, args=[*SWITCHES])
        yield started
        started.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_is_whole(site, browser, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    complaints, formulas = [], 0
    page.on("console", lambda message: complaints.append(f"{page.url} says {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"{page.url} fails with {error}"))
    page.on("requestfailed", lambda request: complaints.append(f"{page.url} does not get {request.url}"))
    page.on("request", lambda request: _is_inside(request.url, site) or complaints.append(f"asked for {request.url}"))
    code = sorted(site.rglob("*.py.html"))
    for path in [*sorted(set(site.rglob("*.html")) - set(code)), *code[::20]]:  # pages of code are all alike
        page.goto(path.as_uri())
        if not page.evaluate(FOLDED):
            complaints.append(f"{path}: a hint is not folded")
        for script in (EMPTY, WIDE, BROKEN, UNNAMED):
            found = page.evaluate(script)
            if found:
                complaints.append(f"{path}: {found}")
        formulas += page.locator("math").count()
    context.close()
    assert not complaints
    assert formulas > 1000


def _is_inside(url, site):
    return url.startswith((site.as_uri() + "/", "data:"))


def test_the_menu_opens_on_a_phone_and_stands_open_on_a_desk(site, browser):
    for width, starts_open in ((390, False), (1280, True)):
        context = browser.new_context(viewport={"width": width, "height": 800})
        page = context.new_page()
        page.goto((site / "index.html").as_uri())
        chapter = page.locator(".side a[href^='tutorials/']").last
        assert chapter.is_visible() == starts_open
        if not starts_open:
            page.locator(".menu summary").click()
        chapter.click()
        assert page.locator("main h1").inner_text() == "Real images"
        context.close()


def test_everything_is_reached_without_scripts(site, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.locator(".menu summary").click()
    page.locator(".side a[href$='crossing.html']").click()
    assert page.locator("main h1").inner_text() == "crossing"
    context.close()


def test_dark_text_lies_on_dark_paper_and_figures_on_a_card(site, browser):
    shades = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto((site / "docs" / "results" / "drift.html").as_uri())
        shades[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (
            page.evaluate("getComputedStyle(document.querySelector('.figure img')).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        context.close()
    assert shades["light"] == "rgb(255, 255, 255)" != shades["dark"]
