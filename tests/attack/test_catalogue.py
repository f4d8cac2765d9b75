"""`docs/attacks.md` against the tests that it names, both ways."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
STORY = re.compile(r"`(test_\d\d_\w+)` ([A-Z]+)")
ELSEWHERE = re.compile(r"`(\S+\.py)::(test_\w+)`")
ROWS = dict(ROW.findall((ROOT / "docs" / "attacks.md").read_text()))


def names_in(path: Path) -> set[str]:
    """The names of a file's tests."""
    body = ast.parse(path.read_text()).body
    functions = (each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return {each.name for each in functions if each.name.startswith("test_")}


# By the letter that the page has for a file: test_ethereum.py is E.
STORIES = {
    path.stem.removeprefix("test_")[0].upper(): names_in(path)
    for path in (ROOT / "tests" / "attack" / "catalogue").glob("test_*.py")
}


def test_every_row_of_the_catalogue_is_there() -> None:
    assert list(ROWS) == [str(number) for number in range(1, 35)]


def test_the_page_names_each_story_in_the_row_of_its_number() -> None:
    written = {
        (letter, name)
        for number, named in ROWS.items()
        for name, letters in STORY.findall(named)
        for letter in letters
        if name.startswith(f"test_{int(number):02}_")
    }
    assert written == {(letter, name) for letter, names in STORIES.items() for name in names}


@pytest.mark.parametrize("number", ROWS)
def test_a_row_names_tests_that_exist(number: str) -> None:
    stories, others = STORY.findall(ROWS[number]), ELSEWHERE.findall(ROWS[number])
    assert stories or others
    assert all(name.startswith(f"test_{int(number):02}_") for name, _ in stories)
    for file, name in others:
        assert name in names_in(ROOT / "tests" / file), file
