"""The report in a real browser: it opens, draws its charts, fits the screen, and asks nothing of the network."""

import pytest

pytestmark = pytest.mark.browser

_PAGES = ("bare", "twelve", "eighty", "awkward", "both", "segments")
_CHARTS = {"bare": 0, "twelve": 5, "eighty": 5, "awkward": 5}  # of the others, all that have a specification


@pytest.mark.parametrize("name", _PAGES)
def test_page_draws_its_charts_and_does_not_scroll_sideways(opened, name):
    page = opened(name, 360)
    specified = page.locator('script[id^="spec-"]').count()
    assert specified == _CHARTS.get(name, specified)
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".plot.drawn .main-svg").count() >= specified
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
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


def test_text_has_enough_contrast(complete):
    page = complete
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
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
            if (element.closest("[aria-disabled='true']")) continue; // inactive controls are exempt
            if (!own || !element.checkVisibility() || element.classList.contains("visually-hidden")) continue;
            const a = light(parse(getComputedStyle(element).color)), b = light(below(element));
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 100)];
          }
          return worst;
        }"""
    )
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = false; })")
    assert lowest[0] >= 4.5, lowest  # level AA of the Web Content Accessibility Guidelines
