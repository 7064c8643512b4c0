"""What people see in Airflow's UI, in a real browser; pictures are left in `screenshots/`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from support.running_stack import Stack, wait_until

pytestmark = pytest.mark.timeout(300)

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
PICTURES = Path("screenshots")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if BROWSER is None:
        pytest.skip("no Chromium or Chrome on this machine; `make test` installs it where apt-get may be used")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser.new_page(viewport={"width": 1500, "height": 950})
        browser.close()


def test_the_list_shows_each_load_and_tags_the_broken_one(stack: Stack, page: Page):
    stack.api.wait_for_dag("rsloader_broken")
    page.goto(f"{stack.url}/dags")
    for dag_id in ("rsloader_scheduled", "rsloader_broken"):
        expect(page.get_by_text(dag_id, exact=True).first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("invalid").first).to_be_visible()
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / "dags.png")


def test_the_grid_shows_mapped_tasks_by_their_batches(stack: Stack, page: Page):
    """Batch, files and size: a person finds the batch to clear."""
    load = "shown"
    stack.create_table(load)
    for number in range(4):
        stack.put(load, f"{number}.csv", f"{number}\n")
    run_id = stack.run(load)
    wait_until(lambda: stack.rows(load) == [0, 1, 2, 3], "the rows are there")
    tasks = wait_until(lambda: [each for each in stack.load_tasks(load) if each[1]["rendered_map_index"]], "labels")
    run_id = tasks[0][0]
    page.goto(f"{stack.url}/dags/rsloader_{load}/runs/{run_id}/tasks/load_batch/mapped")
    for batch in stack.batches(load)[1:]:
        expect(page.get_by_text(f"{batch.batch} · 2 files").first).to_be_visible(timeout=30_000)
    page.screenshot(path=PICTURES / "grid.png")


def test_a_broken_load_shows_what_is_wrong_in_its_documentation(stack: Stack, page: Page):
    page.goto(f"{stack.url}/dags/rsloader_broken")
    page.get_by_role("button", name="Dag Docs").or_(page.get_by_text("Dag Docs")).first.click(timeout=30_000)
    expect(page.get_by_text("broken.yaml:2").first).to_be_visible(timeout=30_000)
    page.screenshot(path=PICTURES / "broken.png", animations="disabled")


def test_the_form_of_the_operations_dag_does_what_is_filled_in(stack: Stack, page: Page):
    """A person without a shell has an object claimed that was there before."""
    load, dag_id = "operated", "rsloader_operations"
    stack.put(load, "1.csv", "1\n")
    stack.api.wait_for_dag(dag_id)
    page.goto(f"{stack.url}/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").first.click(timeout=30_000)
    choices = page.get_by_role("dialog").get_by_role("combobox")
    for place, choice in enumerate((load, "Claim all that was there before")):
        choices.nth(place).click(timeout=30_000)
        page.get_by_role("option", name=choice).click()
    page.locator("#element_confirm").fill(load)
    page.screenshot(path=PICTURES / "operations.png", animations="disabled")
    page.get_by_test_id("trigger-dag-submit").click()
    batches = wait_until(lambda: [each for each in stack.batches(load) if each.files], "the object is in a batch")
    assert [each.files for each in batches] == [1]
