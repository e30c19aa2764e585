"""The controls of the report in a real browser: grouping, tables, the chart over time, paper."""

import pytest

from report.sample_both import AWKWARD

pytestmark = pytest.mark.browser


def _zoom(page, name):
    return page.locator("#mission-tools .zoomer").get_by_role("button", name=name)


def _groups(page):
    return page.locator("#mission-cards > .group:visible")


def _start(page):
    """Everything as the page came: eight groups, nothing sought, nothing folded."""
    page.get_by_label("Find a mission or a category").fill("")
    page.get_by_label("Groups only").uncheck()
    page.locator("#mission-tools .zoom-range").fill("6")
    assert _groups(page).count() == 8


def test_page_opens_with_eight_groups(complete):
    assert _groups(complete).count() == 8
    assert complete.locator("#mission-cards > .card:visible").count() == 30
    assert complete.locator("#mission-count").inner_text() == "30 missions"


def test_zoom_groups_cards_and_colours_everything_alike(complete):
    page = complete
    _start(page)
    colour = "getComputedStyle(document.getElementById('mission-30')).getPropertyValue('--group')"
    places = "document.querySelector('[data-spec=\"spec-places\"]').data[0].marker.color[29]"
    bands = "document.querySelector('[data-spec=\"spec-timeline\"]').data.length"
    for name, expected in (("Fewer groups", 7), ("More groups", 8), ("More groups", 9)):
        _zoom(page, name).click()
        assert _groups(page).count() == expected
        for section in ("missions", "map", "places", "timeline"):
            assert page.locator(f"#{section} .zoom-count").inner_text() == f"{expected} groups"
        assert page.locator("#places .legend li").count() == expected
        assert page.evaluate(colour) == page.evaluate(places)
        assert page.evaluate(bands) == expected
    rows = page.evaluate("document.querySelector('[data-spec=\"spec-map\"]').layout.yaxis.ticktext")
    order = [int(row.split()[-1]) for row in rows]
    cards = page.locator("#mission-cards > .card").evaluate_all(
        "all => all.map((c) => Number(c.id.slice(8)))"
    )
    assert order == cards


def test_zoom_by_keyboard_reaches_both_ends(complete):
    page = complete
    _start(page)
    slider = page.locator("#mission-tools .zoom-range")
    slider.focus()
    page.keyboard.press("End")
    assert _groups(page).count() == 0
    assert slider.get_attribute("aria-valuetext") == "every mission alone"
    assert _zoom(page, "More groups").get_attribute("aria-disabled") == "true"
    page.keyboard.press("Home")
    assert _groups(page).count() == 2
    page.keyboard.press("ArrowRight")
    assert _groups(page).count() == 3


def test_groups_only_hides_cards_until_something_is_sought_or_linked(complete):
    page = complete
    _start(page)
    cards = page.locator("#mission-cards > .card:visible")
    page.get_by_label("Groups only").check()
    assert cards.count() == 0
    assert _groups(page).count() == 8
    page.get_by_label("Find a mission or a category").fill("dog foods")
    assert 0 < cards.count() < 30
    page.get_by_label("Find a mission or a category").fill("")
    assert cards.count() == 0
    page.evaluate("window.location.hash = '#mission-7'")
    page.locator("#mission-7").wait_for(state="visible")
    assert cards.count() == 30


def test_order_holds_within_groups(complete):
    page = complete
    _start(page)
    page.locator("#mission-order").select_option("amount")
    inside, runs = [], []
    for element in page.locator("#mission-cards > li").all():
        if "group" in element.get_attribute("class").split():
            inside = []
            runs.append(inside)
        else:
            inside.append(float(element.get_attribute("data-amount")))
    assert sum(map(len, runs)) == 30
    assert all(run == sorted(run, reverse=True) for run in runs)
    page.locator("#mission-order").select_option("weight")


def test_pairs_by_mission_word_and_order(complete):
    page = complete
    rows = page.locator("#pairs tbody tr:visible")
    numbers = "rows => rows.filter((r) => !r.hidden).map((r) => Number(r.cells[4].dataset.value))"
    of_all = rows.count()
    assert of_all >= 3
    page.locator("#pairs-mission").select_option("5")
    assert set(rows.evaluate_all("rows => rows.map((r) => r.dataset.mission)")) == {"5"}
    page.locator("#pairs-mission").select_option("")
    everything = rows.count()
    assert everything > of_all
    page.locator("#pairs-filter").fill("yogurt")
    assert 0 < rows.count() < everything
    assert page.locator("#pairs-count").inner_text().startswith(f"{rows.count()} ")
    head = page.locator("#pairs th", has_text="Baskets with both")
    for state, down in (("descending", True), ("ascending", False)):
        page.get_by_role("button", name="Baskets with both").click()
        assert head.get_attribute("aria-sort") == state
        sizes = page.locator("#pairs tbody tr").evaluate_all(numbers)
        assert sizes == sorted(sizes, reverse=down)


def test_one_mission_over_time(complete):
    page = complete
    _start(page)
    bands = "document.querySelector('[data-spec=\"spec-timeline\"]').data.length"
    page.locator("#timeline-mission").select_option("2")
    assert page.evaluate(bands) == 1
    page.locator("#timeline-mission").select_option("")
    assert page.evaluate(bands) == 8


def test_awkward_names_are_shown_as_text(complete):
    page = complete
    assert page.locator("main img, main iframe").count() == 0
    for name in AWKWARD[:2]:
        text = page.locator("#mission-cards").inner_text()
        assert name.lower() in text.lower().replace("\u200b", "")
    assert page.evaluate("[...document.scripts].filter((s) => s.textContent === 'alert(1)').length") == 0


def test_paper_has_every_detail_open_and_the_screen_comes_back(complete):
    page = complete
    closed = page.locator("details:not([open])").count()
    assert closed > 30
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == closed
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_every_control_has_a_name_and_every_chart_a_table(complete):
    page = complete
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, select, button, summary, a, [tabindex='0']")]
          .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || (e.labels && e.labels.length)))
          .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    without = page.evaluate(
        """() => [...document.querySelectorAll(".plot")]
          .filter((plot) => !plot.closest("section").querySelector("table"))
          .map((plot) => plot.dataset.spec)"""
    )
    assert without == []


def test_motion_stops_where_it_is_unwanted(opened):
    page = opened("bare")
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "smooth"
