"""The report in a real browser: Chromium without a network, driven by Playwright."""

import os
import shutil

import pytest

from mixtura.report import write_report
from report.sample import awkward_results, bare_results, sample_results

pytestmark = pytest.mark.browser

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_PAGES = {
    "bare": lambda: bare_results(1),
    "twelve": lambda: sample_results(12),
    "eighty": lambda: sample_results(80),
    "awkward": awkward_results,
}
_CHARTS = {"bare": 0, "twelve": 4, "eighty": 4, "awkward": 4}


def _unavailable(reason):
    if os.environ.get("MIXTURA_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and MIXTURA_REQUIRE_BROWSER=1 asks for it")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    executable = shutil.which("chromium")
    if executable is None:
        _unavailable("no `chromium` on the PATH, so no page was opened")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _unavailable("the Python package playwright is not installed, so no page was opened")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    return {name: write_report(make(), folder / f"{name}.html") for name, make in _PAGES.items()}


@pytest.fixture
def opened(browser, paths):
    """Open a report; afterwards nothing may have been complained about or asked of the network."""
    contexts, complaints = [], []

    def opener(name, width=1280):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        contexts.append(context)
        page = context.new_page()
        address = paths[name].as_uri()
        page.on("console", lambda message: complaints.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                request.url.split("#")[0] == address
                or request.url.startswith(("data:", "blob:"))
                or complaints.append(f"request: {request.url}")
            ),
        )
        page.goto(address)
        page.wait_for_function("document.querySelectorAll('.plot:not(.drawn)').length === 0")
        return page

    yield opener
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("name", _PAGES)
@pytest.mark.parametrize("width", [375, 1280])
def test_page_draws_its_charts_and_does_not_scroll_sideways(opened, name, width):
    page = opened(name, width)
    assert page.locator(".plot.drawn .main-svg").count() >= _CHARTS[name]
    assert page.locator(".plot.drawn").count() == _CHARTS[name]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").is_visible()


def test_charts_hold_their_marks(opened):
    page = opened("twelve")
    assert page.locator('[data-spec="spec-criteria"] .scatterlayer .trace').count() == 4
    assert page.locator('[data-spec="spec-map"] .heatmaplayer .hm').count() == 1
    assert page.locator('[data-spec="spec-errors"] .scatterlayer .point').count() == 2214


def test_filter_and_order_of_the_cards(opened):
    page = opened("twelve")
    cards = page.locator(".card:visible")
    assert cards.count() == 12
    page.get_by_label("Find a mission or a category").fill("bacon pop")
    shown = cards.count()
    assert 0 < shown < 12
    assert page.get_by_role("status").inner_text() == f"{shown} of 12 missions"
    page.get_by_label("Find a mission or a category").fill("no such thing")
    assert cards.count() == 0
    assert page.get_by_text("No mission contains this").is_visible()
    page.get_by_label("Find a mission or a category").fill("")
    page.get_by_label("Order").select_option("name")
    names = page.locator(".card .name").all_inner_texts()
    assert [name.lower() for name in names] == sorted(name.lower() for name in names)


def test_keyboard_reaches_content_and_opens_details(opened):
    page = opened("twelve")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    summary = page.locator(".card summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator(".card details").first.get_attribute("open") is not None


def test_text_has_enough_contrast(opened):
    page = opened("twelve")
    lowest = page.evaluate(
        """() => {
          const parse = (text) => text.match(/[\\d.]+/g).map(Number);
          const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
          const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
          const below = (element) => {
            const layers = [];
            for (let node = element; node; node = node.parentElement) {
              const c = parse(getComputedStyle(node).backgroundColor);
              layers.push(c.length === 4 ? c : [...c, 1]);
              if (layers[layers.length - 1][3] === 1) break;
            }
            const over = (under, c) => under.map((u, i) => u * (1 - c[3]) + c[i] * c[3]);
            return layers.reverse().reduce(over, [255, 255, 255]);
          };
          let worst = [99, ""];
          for (const element of document.querySelectorAll("body *:not(script):not(svg *)")) {
            const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
            if (!own || !element.checkVisibility() || element.classList.contains("visually-hidden")) continue;
            const a = light(parse(getComputedStyle(element).color)), b = light(below(element));
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 100)];
          }
          return worst;
        }"""
    )
    assert lowest[0] >= 4.5, lowest  # level AA of the Web Content Accessibility Guidelines


def test_prints_on_paper(opened):
    page = opened("twelve")
    assert page.pdf(format="A4").startswith(b"%PDF")
