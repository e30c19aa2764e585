"""What all tests share: Hypothesis without chance, seeded generators, and a browser when there is one."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# The same examples on every run: a test that fails now fails again.
settings.register_profile(
    "mixtura",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mixtura")

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items):
    """A test that asks for a browser is a browser test."""
    for item in items:
        if "page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Where a browser is required, a browser test that skips itself for any reason has failed."""
    report = yield
    required = os.environ.get("MIXTURA_REQUIRE_BROWSER") == "1"
    if required and report.skipped and item.get_closest_marker("browser"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but MIXTURA_REQUIRE_BROWSER=1: {report.longrepr}"
    return report


@pytest.fixture
def rng():
    """A seeded generator; tests draw from no other source."""
    return np.random.default_rng(20240229)


@pytest.fixture(scope="session")
def chromium():
    """A running headless Chromium; without one the test is skipped (and see above)."""
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        message = (
            f"no browser on PATH (looked for {', '.join(CHROMIUM_NAMES)}); install Chromium to run this test"
        )
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(CHROMIUM_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """An empty page that fails the test on a script error and cannot reach any network."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(f"script error: {error}"))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert not errors, errors
