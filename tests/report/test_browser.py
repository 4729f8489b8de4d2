"""The page in a real browser: pictures are there, the table of contents leads somewhere, labels are text."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from snaps.report import write_report
from tests.profiles.build import random_tree

GROUPS = ("a", "b", "h#", "iy+f", "é", "x<y", "<script>document.title = 'attacked'</script>")

pytestmark = pytest.mark.skipif(
    shutil.which("chromium") is None or shutil.which("chromedriver") is None, reason="needs chromium and chromedriver"
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "window-size=1300,2000",
        f"user-data-dir={tmp_path / 'browser'}",
    ):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def test_the_page_as_a_reader_sees_it(browser: webdriver.Chrome, tmp_path: Path) -> None:
    page = write_report(random_tree(groups=GROUPS), tmp_path / "report.html", title="Voices & <b>networks</b>")
    browser.get(page.as_uri())
    assert browser.title == "Voices & <b>networks</b>"
    assert "<script>document.title = 'attacked'</script>" in browser.find_element(By.TAG_NAME, "body").text
    pictures = browser.find_elements(By.TAG_NAME, "img")
    assert pictures
    for picture in pictures:
        assert browser.execute_script("return arguments[0].complete && arguments[0].naturalWidth", picture) > 100
        assert picture.get_attribute("alt")
    anchors = browser.find_elements(By.CSS_SELECTOR, "nav a")
    assert anchors
    for anchor in anchors:
        target = anchor.get_attribute("href").partition("#")[2]
        assert browser.find_elements(By.ID, target), anchor.text
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    width = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1], "nothing sticks out at the side"
