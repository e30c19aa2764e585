"""The customers' part of the report in a real browser: the chooser, phones, names that are no markup."""

import json

import pytest

from mixtura.report import write_report
from report.sample import sample_results
from report.sample_both import AWKWARD

pytestmark = pytest.mark.browser

OURS = (
    "segments",
    "segment-map",
    "segment-time",
    "demographics",
    "customers",
    "segment-certainty",
    "refresh",
)


def view(page):
    return json.loads(page.locator("#customer-data").text_content())


def facts(page):
    return page.locator("#customer-facts").inner_text()


def drawn(page, chart):
    return f"document.querySelector('[data-spec=\"spec-{chart}\"]')"


@pytest.fixture(scope="session")
def paths(paths, tmp_path_factory):
    """The reports of the other tests, and one with as many segments as there may be, all names ordinary."""
    path = tmp_path_factory.mktemp("segments") / "twelve.html"
    missions, segments = sample_results(level="both", n_segments=12, awkward=False)
    return {**paths, "twelve segments": write_report(missions, path, segments)}


def test_buttons_step_through_the_customers(complete):
    page = complete
    people = view(page)["people"]
    page.locator("#customer-select").select_option("0")
    previous, following = page.locator("#customer-previous"), page.locator("#customer-next")
    assert facts(page).startswith(f"Customer {people[0]['id']} (1 of {len(people)})")
    assert previous.get_attribute("aria-disabled") == "true"
    following.click()
    following.click()
    assert facts(page).startswith(f"Customer {people[2]['id']} (3 of {len(people)})")
    previous.click()
    assert facts(page).startswith(f"Customer {people[1]['id']} (2 of {len(people)})")
    assert page.locator("#customer-select").input_value() == "1"


def test_keyboard_reaches_every_customer_and_stops_at_the_ends(complete):
    page = complete
    people = view(page)["people"]
    page.locator("#customer-select").select_option("0")
    page.locator("#customer-select").focus()
    page.keyboard.press("ArrowDown")
    assert facts(page).startswith(f"Customer {people[1]['id']} ")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "customer-next"
    for _ in range(len(people) + 3):
        page.keyboard.press("Enter")
    assert facts(page).startswith(f"Customer {people[-1]['id']} ({len(people)} of {len(people)})")
    assert page.evaluate("document.activeElement.id") == "customer-next"  # focus stays where the reader is
    assert page.locator("#customer-next").get_attribute("aria-disabled") == "true"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Home")
    assert facts(page).startswith(f"Customer {people[0]['id']} ")


def test_charts_and_tables_show_the_chosen_customer(complete):
    page = complete
    people = view(page)["people"]
    chosen = max(range(len(people)), key=lambda k: len(people[k]["visits"]))
    page.locator("#customer-select").select_option(str(chosen))
    person = people[chosen]
    bars = page.evaluate(f"{drawn(page, 'customer-profile')}.data.map((trace) => trace.x)")
    assert bars == [[entry[kind] for entry in person["bars"]] for kind in (1, 2, 3)]
    visits = page.evaluate(f"{drawn(page, 'customer-visits')}.data[0].x.length")
    assert visits == len(person["visits"])
    assert page.locator("#customer-bars tr").count() == len(person["bars"])
    counts = page.locator("#customer-strips td:nth-child(2)").all_text_contents()
    assert sum(map(int, counts)) == len(person["visits"])


def test_customers_without_later_baskets_say_so(complete):
    page = complete
    people = view(page)["people"]
    without = next(k for k, person in enumerate(people) if person["later"] is None)
    page.locator("#customer-select").select_option(str(without))
    assert "bought nothing after learning had stopped" in page.locator("#customer-later-words").inner_text()
    assert page.locator("#customer-later-table").is_hidden()
    with_later = next(k for k, person in enumerate(people) if person["later"])
    page.locator("#customer-select").select_option(str(with_later))
    assert page.locator("#customer-later-rows tr:visible").count() == len(people[with_later]["later"]["rows"])


@pytest.mark.parametrize(
    ("name", "width"), [("both", 360), ("both", 1280), ("segments", 360), ("twelve segments", 360)]
)
def test_no_section_is_wider_than_the_screen(opened, name, width):
    page = opened(name, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('main details').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        """(ours) => ours.flatMap((id) => [...document.querySelectorAll(`#${id} *`)])
          .filter((e) => !e.closest(".frame") && e.getBoundingClientRect().right > window.innerWidth + 1)
          .map((e) => e.outerHTML.slice(0, 80))""",
        OURS,
    )
    assert wide == []


def test_names_on_charts_and_in_the_view_are_text(complete):
    page = complete
    assert page.locator("main img, main iframe, main svg script, main svg a").count() == 0
    rows = page.locator('[data-spec="spec-segment-features"] .ytick text').all_text_contents()
    assert any(AWKWARD[0] in row for row in rows)
    people = view(page)["people"]
    nasty = next(
        k
        for k, person in enumerate(people)
        if any(AWKWARD[0] in name for name in (person["bars"][0][0], *(entry[0] for entry in person["bars"])))
    )
    page.locator("#customer-select").select_option(str(nasty))
    page.locator("#customer-bars").locator("xpath=ancestor::details").locator("summary").click()
    assert AWKWARD[0] in page.locator("#customer-bars").inner_text()
    assert page.locator("#customer-bars script").count() == 0
    labels = page.locator('[data-spec="spec-customer-profile"] .ytick text').all_text_contents()
    assert any(label.startswith("<script>") for label in labels) or any(
        "<script>" in label for label in labels
    )


def test_phone_shows_numbers_where_names_do_not_fit(opened):
    page = opened("twelve segments", 360)
    ticks = page.evaluate(f"{drawn(page, 'segment-features')}.layout.xaxis.ticktext")
    assert ticks == [str(number) for number in range(1, 13)]
    assert page.evaluate(f"{drawn(page, 'segment-features')}.clientWidth") > 400  # scrolls inside its frame
    labels = page.evaluate(f"{drawn(page, 'segment-flows')}.data[0].node.label")
    assert labels == ticks * 2


def test_every_chart_has_its_table_in_the_same_section(complete):
    page = complete
    for section in OURS:
        charts = page.locator(f"#{section} .plot").count()
        tables = page.locator(f"#{section} table").count()
        assert tables >= charts, section


def test_links_between_segments_lead_to_cards(complete):
    page = complete
    link = page.locator("#segments .card a").first
    target = link.get_attribute("href")
    link.click()
    assert page.evaluate("location.hash") == target
    assert page.locator(target).is_visible()
