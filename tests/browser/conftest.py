"""Fixtures of the browser tests: Chromium without a network, driven by Playwright, and reports to open."""

import os
import shutil

import pytest

from mixtura.report import write_report
from report.sample import awkward_results, bare_results, sample_results

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PAGES = {
    "bare": lambda: (bare_results(1), None),
    "twelve": lambda: (sample_results(12), None),
    "eighty": lambda: (sample_results(80), None),
    "awkward": lambda: (awkward_results(), None),
    "both": lambda: sample_results(level="both"),
    "segments": lambda: (None, sample_results(level="both")[1]),
}


def _unavailable(reason):
    if os.environ.get("MIXTURA_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and MIXTURA_REQUIRE_BROWSER=1 asks for it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    made = {name: make() for name, make in PAGES.items()}
    return {
        name: write_report(missions, folder / f"{name}.html", segments)
        for name, (missions, segments) in made.items()
    }


class Opener:
    """Opens reports; whatever is complained about or asked of the network is collected."""

    def __init__(self, browser, paths):
        self._browser, self._paths = browser, paths
        self._contexts, self.complaints = [], []

    def __call__(self, name, width=1280):
        context = self._browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        self._contexts.append(context)
        page = context.new_page()
        address = self._paths[name].as_uri()
        note = self.complaints.append
        page.on("console", lambda message: note(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("dialog", lambda dialog: note(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                request.url.split("#")[0] == address
                or request.url.startswith(("data:", "blob:"))
                or note(f"request: {request.url}")
            ),
        )
        page.goto(address)
        page.locator(".plot:not(.drawn)").first.wait_for(state="detached")
        return page

    def close(self):
        for context in self._contexts:
            context.close()
        assert self.complaints == []


@pytest.fixture
def opened(browser, paths):
    """Open a report; afterwards nothing may have been complained about or asked of the network."""
    opener = Opener(browser, paths)
    yield opener
    opener.close()


@pytest.fixture(scope="session")
def complete(browser, paths):
    """A page of missions and segments that several tests use in turn; each sets the controls it looks at."""
    opener = Opener(browser, paths)
    yield opener("both")
    opener.close()
