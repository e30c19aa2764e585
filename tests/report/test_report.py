"""The page is whole, safe and says what the results say."""

import copy
import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from mixtura import exceptions
from mixtura.report import build_report, write_report
from mixtura.report.results import SCHEMA
from report.sample import awkward_results, bare_results, sample_results

_VOID = {"meta", "input", "br", "img", "link", "hr", "wbr"}
_SCRIPTS = [
    file
    for file in resources.files("mixtura.report").joinpath("assets").iterdir()
    if file.name.endswith(".js")
]
_URL_ATTRIBUTES = {"src", "href", "action", "poster", "data", "srcset"}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in its order; collects what the tests ask for."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.ids = []
        self.urls = []
        self.labels = []
        self.scripts = {}
        self.words = []
        self._script = None
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        assert len(found) == len(attributes), f"an attribute twice in {tag}"
        if "id" in found:
            self.ids.append(found["id"])
        self.urls += [value for name, value in attributes if name in _URL_ATTRIBUTES]
        assert not [name for name in found if name.startswith("on")], "an event handler in the markup"
        if tag == "script":
            self._script = found.get("id", f"script-{len(self.scripts)}")
            self.scripts[self._script] = (found, "")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"closed but never opened: {tag}"
        assert self.open.pop() == tag
        self._script = None

    def handle_data(self, data):
        if self._script is not None:
            found, text = self.scripts[self._script]
            self.scripts[self._script] = (found, text + data)
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))

    def charts(self):
        return {
            name.removeprefix("spec-"): json.loads(text)
            for name, (found, text) in self.scripts.items()
            if found.get("type") == "application/json" and name.startswith("spec-")
        }


@pytest.fixture(scope="module")
def page():
    return Page(build_report(sample_results(12)))


@pytest.mark.parametrize(
    "results",
    [
        bare_results(1),
        bare_results(3),
        sample_results(2),
        sample_results(30, seed=2),
        sample_results(80),
        awkward_results(),
    ],
    ids=["one", "bare", "two", "thirty", "eighty", "awkward"],
)
def test_page_is_well_formed_and_self_contained(results):
    before = copy.deepcopy(results)
    html = build_report(results)
    assert results == before
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert all(url.startswith("#") and url[1:] in page.ids for url in page.urls)
    assert len(html.encode()) < 8_000_000
    assert html.count("plotly.js v") == 1
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert f"{len(results['missions'])} mission" in page.text


def test_policy_allows_nothing_but_the_pages_own_scripts():
    html = build_report(bare_results())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src &#39;none&#39;")
    assert "http" not in policy
    assert policy.count("sha256-") == 1 + len(_SCRIPTS)


def test_text_of_the_data_is_escaped_everywhere():
    results = awkward_results()
    html = build_report(results)
    page = Page(html)
    assert len([found for found, _ in page.scripts.values() if found.get("type") is None]) == 1 + len(
        _SCRIPTS
    )
    markup = html.split("<script>")[0]
    for dangerous in ("<script>alert", "</style>\n<", "<img", "<em>tags"):
        assert dangerous not in markup.replace("</style>\n</head>", "")
    for shown in (
        "<script>alert(1)</script>",
        "Fish & chips",
        "\"Quoted\" 'single'",
        "{{ 7*7 }}",
        "🍕 Pizza <b>",
    ):
        assert shown in page.text
    labels = page.charts()["map"]["layout"]["xaxis"]["ticktext"]
    assert "Fish &amp; chips" in labels
    assert not [label for label in labels if "<" in label]


def test_findings_come_first_and_say_the_numbers(page):
    text = page.text
    assert text.index("In short") < text.index("What was done") < text.index("Method and settings")
    assert "121,140 shopping baskets of 2,458 customers from 1 January 2017 to 31 December 2017" in text
    assert "41 % more probable than with one mix for everybody" in text.replace("\xa0", " ")
    assert "539,710" in text
    assert "outside the filter department = 'GROCERY'" in text


def test_every_mission_has_a_card_with_its_numbers(page):
    results = sample_results(12)
    for mission in results["missions"]:
        assert f"mission-{mission['number']}" in page.ids
        assert mission["name"] in page.text.replace("\xa0", " ")
        assert f"{mission['n_baskets']:,.0f}" in page.text
        best = mission["top"][0]
        assert f"{best['support']:,}" in page.text


def test_charts_are_what_plotly_understands(page):
    graph_objects = pytest.importorskip("plotly.graph_objects")
    charts = page.charts()
    assert set(charts) == {"criteria", "held-out", "map", "places", "errors"}
    for specification in charts.values():
        figure = graph_objects.Figure(data=specification["data"], layout=specification["layout"])
        assert len(figure.data) == len(specification["data"])


def test_criteria_chart_marks_the_choice(page):
    chart = page.charts()["criteria"]
    decides = next(trace for trace in chart["data"] if trace.get("name") == "BIC (decides)")
    assert decides["x"][decides["y"].index(0)] == 12
    assert chart["data"][-1]["x"] == [12]
    assert "<b>12</b> chosen" in chart["layout"]["annotations"][0]["text"]


def test_map_is_capped_and_shows_what_sets_missions_apart(page):
    results = sample_results(12)
    trace = page.charts()["map"]["data"][0]
    assert len(trace["z"]) == 12
    assert max(max(row) for row in trace["z"]) == 3
    assert min(min(row) for row in trace["z"]) == -3
    shown = "".join(page.charts()["map"]["layout"]["xaxis"]["ticktext"]).lower()
    for mission in results["missions"]:
        assert mission["top"][0]["category"].lower()[:15].replace("&", "&amp;") in shown


@pytest.mark.parametrize(("tried", "says"), [([2, 3, 4], "Fewer missions"), ([1, 2], "More missions")])
def test_choice_at_the_edge_is_said_aloud(tried, says):
    results = sample_results(2)
    row = results["criteria"][0]
    results["criteria"] = [{**row, "n_components": count, "chosen": count == 2} for count in tried]
    results["choice"]["at_edge"] = True
    text = Page(build_report(results)).text
    assert "at the edge of what was tried" in text
    assert says in text


def test_unclear_and_negative_gains_are_not_sold_as_gains():
    results = sample_results(3)
    results["held_out"].update(gain=0.001, gain_se=0.002)
    text = Page(build_report(results)).text
    assert "makes no clear difference" in text
    assert "Knowing the customer helps" not in text
    results["held_out"].update(gain=-0.2, gain_se=0.01)
    text = Page(build_report(results)).text.replace("\xa0", " ")
    assert "Knowing the customer does not help" in text
    assert "18 % less probable" in text


def test_missing_parts_are_said_not_invented():
    text = Page(build_report(bare_results(1))).text
    assert "This was not checked: there are no later baskets" in text
    assert "A single mission was fitted" in text
    assert "Nothing: every line was used." in text
    assert "None" not in text
    assert "nan" not in text.lower().split()


def test_missing_numbers_become_dashes():
    results = sample_results(3)
    results["missions"][1].update(mean_lines=None, n_customers_dominant=float("nan"), top=[], examples=None)
    results["held_out"].update(concentration=None, share_households_better_l1=None, l1=None)
    results["columns"] = None
    results["command"] = None
    page = Page(build_report(results))
    assert "No category stands out" in page.text
    assert "errors" not in page.charts()


@pytest.mark.parametrize("concentration", [0, 3.25, 250.0, float("inf"), "inf"])
def test_concentration_in_words(concentration):
    results = sample_results(3)
    results["held_out"]["concentration"] = concentration
    expected = {0: "own baskets only", 3.25: "3.2 baskets", 250.0: "250 baskets"}.get(
        concentration, "no lasting differences"
    )
    assert expected in Page(build_report(results)).text


@pytest.mark.parametrize(
    "example",
    [
        {"MILK": 2},
        ["MILK"],
        [["MILK", 2]],
        [{"category": "MILK", "n_lines": 2}],
        {"basket": 7, "items": ["MILK"]},
        "MILK",
    ],
)
def test_examples_of_any_form(example):
    results = sample_results(2, n_categories=6)
    results["missions"][0]["examples"] = [example]
    assert re.search(r"A typical basket ?(2 × )?Milk", Page(build_report(results)).text)


def test_many_customers_are_thinned_and_it_is_said():
    results = sample_results(2)
    results["held_out"]["l1"] = {"global": [0.5] * 9000, "household": [0.4] * 9000}
    page = Page(build_report(results))
    assert "3,000 of 9,000 customers are drawn" in page.text
    assert sum(len(trace["x"]) for trace in page.charts()["errors"]["data"]) == 3000


def test_other_schema_is_refused_with_advice():
    with pytest.raises(
        exceptions.InvalidDataError, match=rf"schema.*found 'other/9'.*expected '{SCHEMA}'.*mixtura segment"
    ):
        build_report({"schema": "other/9"})
    with pytest.raises(exceptions.InvalidDataError, match=r"missions\['data'\].*found nothing"):
        build_report({"schema": SCHEMA})
    with pytest.raises(exceptions.InvalidDataError, match=r"found list, expected the dictionary"):
        build_report([])


def test_contradicting_lengths_are_refused_with_the_place():
    results = sample_results(3)
    results["missions"][2]["profile"] = [0.5]
    with pytest.raises(
        exceptions.InvalidDataError, match=r"\['missions'\]\[2\]\['profile'\]: found 1 values, expected 69"
    ):
        build_report(results)
    results["category_share"] = [1.0]
    with pytest.raises(exceptions.InvalidDataError, match=r"category_share.*found 1 values, expected 69"):
        build_report(results)


@pytest.mark.parametrize("module", ["jinja2", "plotly"])
def test_missing_extra_names_what_to_install(monkeypatch, module):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(exceptions.MissingExtraError, match=r'pip install "mixtura\[segment\]"'):
        build_report(bare_results())


def test_write_replaces_whole_files_only(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    assert write_report(bare_results(), path) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(exceptions.InvalidDataError):
        write_report({}, path)

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fdopen", fail)
    path.write_text("old", encoding="utf-8")
    with pytest.raises(
        exceptions.OutputError, match=r"report\.html.*No space left on device.*Choose another folder"
    ):
        write_report(bare_results(), path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_write_into_a_missing_folder_says_so(tmp_path):
    with pytest.raises(exceptions.OutputError, match="No such file or directory"):
        write_report(bare_results(), tmp_path / "nowhere" / "report.html")
