"""Rules that no linter knows: no floats near money, size budgets, docstrings, the future import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = ("watcher", "chains", "storage")
EXACT = ("watcher/domain/", "storage/")  # where not even the name of a float may stand
DURATION = re.compile(r"seconds|_ms\b|after|latency|delay")
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
MODULE_LINES, FUNCTION_LINES = 300, 50


def files(*folders: str) -> list[str]:
    """Every Python file below `folders`, relative to the root."""
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path.relative_to(ROOT).as_posix() for path in paths]


def float_calls(node: ast.AST, function: str = "") -> Iterator[tuple[ast.Call, str]]:
    """Each `float(…)` below `node`, with the name of the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Call(func=ast.Name(id="float")):
                yield child, function
        inside = child.name if isinstance(child, FUNCTION) else function
        yield from float_calls(child, inside)


def float_faults(path: str, source: str) -> Iterator[str]:
    """Floats that money could get into.

    Everywhere: `float(…)`, unless its line or its function says that it is a duration. In the
    exact packages: the name at all. In the domain: literals too.
    """
    tree, lines = ast.parse(source), source.splitlines()
    for call, function in float_calls(tree):
        if not DURATION.search(f"{function} {lines[call.lineno - 1]}"):
            yield f"{path}:{call.lineno} calls float"
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="float") if path.startswith(EXACT):
                yield f"{path}:{node.lineno} names float"
            case ast.Constant(value=float() as value) if path.startswith("watcher/domain/"):
                yield f"{path}:{node.lineno} writes {value}"


def size_faults(path: str, source: str) -> Iterator[str]:
    """Modules and functions over budget, counted with their comments and docstrings."""
    lines = len(source.splitlines())
    if lines > MODULE_LINES:
        yield f"{path} has {lines} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FUNCTION):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{path}:{node.lineno} {node.name} has {lines} lines"


def opening_faults(path: str, source: str) -> Iterator[str]:
    """A module that does not open with a docstring and, if it has code, the future import."""
    tree = ast.parse(source)
    code = tree.body
    if ast.get_docstring(tree) is None:
        yield f"{path} has no docstring"
    else:
        code = code[1:]
    match code:
        case [] | [ast.ImportFrom(module="__future__", names=[ast.alias(name="annotations")]), *_]:
            pass
        case _:
            yield f"{path} does not begin with the future import"


@pytest.mark.parametrize("path", files(*SHIPPED))
def test_no_float_comes_near_money(path: str) -> None:
    assert list(float_faults(path, (ROOT / path).read_text())) == []


@pytest.mark.parametrize("path", files(*SHIPPED))
def test_modules_and_functions_stay_small(path: str) -> None:
    assert list(size_faults(path, (ROOT / path).read_text())) == []


@pytest.mark.parametrize("path", files(*SHIPPED, "tests"))
def test_modules_open_with_a_docstring_and_the_future_import(path: str) -> None:
    assert list(opening_faults(path, (ROOT / path).read_text())) == []


def test_the_rules_see_every_package() -> None:
    seen = set(files(*SHIPPED, "tests"))
    assert {"watcher/domain/money.py", "chains/base/__init__.py", "tests/factories.py"} <= seen


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("watcher/rates.py", "x = float(text)"),
        ("watcher/rates.py", "def rate(text):\n    seconds = 1\n    return float(text)"),
        ("chains/evm/client.py", "def f(x):\n    return [float(y) for y in x]"),
        ("storage/deposits.py", "def f(units: float): ..."),
        ("storage/types.py", "x: list[float] = []"),
        ("storage/types.py", "x = map(float, y)"),
        ("watcher/domain/money.py", "def f() -> float | None: ..."),
        ("watcher/domain/money.py", "tolerance = 0.5"),
        ("watcher/domain/money.py", "tolerance = 1e-8"),
    ],
)
def test_a_float_near_money_is_a_fault(path: str, source: str) -> None:
    assert len(list(float_faults(path, source))) >= 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("chains/base/__init__.py", "retry_after: float | None = None"),
        ("chains/http.py", "def retry_after(text):\n    return float(text)"),
        ("chains/http.py", "wait_seconds = min(float(asked), 60)"),
        ("chains/endpoints.py", "pause_seconds = 0.25"),
        ("storage/__init__.py", "busy_seconds = 0.1"),
        ("watcher/rates.py", "refused = isinstance(value, float)"),
        ("watcher/domain/money.py", "floats = 'float(1.5)'  # float(1.5)"),
        ("watcher/domain/money.py", "x = 10**18 + 1"),
    ],
)
def test_a_duration_or_a_word_is_no_fault(path: str, source: str) -> None:
    assert list(float_faults(path, source)) == []


@pytest.mark.parametrize(("lines", "faults"), [(300, 0), (301, 1)])
def test_the_budget_of_a_module(lines: int, faults: int) -> None:
    assert len(list(size_faults("watcher/x.py", "x = 1\n" * lines))) == faults


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(("lines", "faults"), [(50, 0), (51, 1)])
def test_the_budget_of_a_function_wherever_it_stands(kind: str, lines: int, faults: int) -> None:
    body = "        x = 1\n" * (lines - 1)
    source = f"class C:\n    @mark\n    {kind} f(self):\n{body}"
    assert len(list(size_faults("watcher/x.py", source))) == faults


FUTURE = "from __future__ import annotations\n"


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        (f'"""Says."""\n{FUTURE}import re\n', 0),
        ('"""Only words."""\n', 0),
        (f"# A comment is no docstring.\n{FUTURE}", 1),
        ('"""Says."""\nimport re\n', 1),
        ('"""Says."""\nfrom __future__ import generator_stop\n', 1),
        ("import re\n", 2),
        ("", 1),
    ],
)
def test_how_a_module_must_open(source: str, faults: int) -> None:
    assert len(list(opening_faults("watcher/x.py", source))) == faults
