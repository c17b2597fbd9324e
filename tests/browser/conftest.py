"""A browser, and a watch over what it complains about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import axe, front

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this directory."""
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)


@dataclass
class Visitor:
    """One browser window of one person. complaints: what the browser said against a page."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page of the site."""
        self.page.goto(self.base + path)

    def sign_in(self, username: str, password: str) -> None:
        """Fill the sign-in form in."""
        self.go("/login")
        self.page.fill("#username", username)
        self.page.fill("#password", password)
        # A click does not wait for the page that it leads to, nor for that page's scripts.
        with self.page.expect_navigation():
            self.page.click(".sign-in button")

    def shoot(self, name: str) -> None:
        """Keep what the window shows, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def fits(self) -> bool:
        """Return whether nothing sticks out of the window at the side."""
        wide = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return not wide


def look(page: Page, name: str) -> None:
    """Keep what a page shows at both widths, and hold that anybody can use it there.

    Nothing may stick out at the side, and axe-core may find nothing serious. Complaints of
    the browser, such as a violated policy, fail the test at its end (`visit`).
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=SCREENSHOTS / f"{name}-{size}.png")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name}: {wide} pixels too wide for a {size}"
        assert axe.findings(page) == [], f"{name}, {size}"
    if before is not None:
        page.set_viewport_size(before)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium without a window."""
    if shutil.which(CHROMIUM) is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, and CI must run this")
        pytest.skip("chromium is not installed")
    front.build()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[object]:
    """Open windows: `visit(base, width=…, locale=…)`; none may have had complaints."""
    opened: list[Visitor] = []

    def make(
        base: str, *, width: int = 1280, height: int = 860, locale: str = "en-GB", **more: object
    ) -> Visitor:
        context = browser.new_context(
            ignore_https_errors=True,
            viewport={"width": width, "height": height},
            locale=locale,
            **more,  # type: ignore[arg-type]
        )
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        visitor = Visitor(context.new_page(), base)
        visitor.page.on(
            "console",
            lambda said: visitor.complaints.append(said.text) if said.type == "error" else None,
        )
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        opened.append(visitor)
        return visitor

    yield make
    for visitor in opened:
        visitor.page.context.close()
        assert visitor.complaints == []
