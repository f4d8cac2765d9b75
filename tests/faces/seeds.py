"""The original systems' own documents, read where they lie and never copied into the repository."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.shop import Json

FILES = {"billium": "000", "kuna": "001", "txcash": "002", "payhubix": "003", "bitgpt": "004"}
"""How each document's file name begins."""
_BESIDE = Path(__file__).parents[3] / "shared" / "seeds"


@dataclass(frozen=True)
class Field:
    """A line of a table of fields, as the document has it."""

    name: str
    type: str
    required: bool
    told: str
    """The words beside it."""


def seed(face: str) -> str:
    """The text of a face's document: at $SEEDS, or beside the repository.

    Where they are absent the test is skipped with the reason; with CI set it fails instead.
    """
    root = Path(os.environ.get("SEEDS") or _BESIDE)
    if not root.is_dir():
        reason = "no documents of the original systems: set SEEDS to where they are"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    [path] = root.glob(f"{FILES[face]}_*.txt")
    return path.read_text()


def between(text: str, start: str, end: str) -> str:
    """What stands between the first `start` and the next `end`."""
    return text.split(start, 1)[1].split(end, 1)[0]


def blocks(text: str) -> list[str]:
    """Every block that opens with a brace alone on its line, to the brace that closes it."""
    found: list[list[str]] = []
    depth = 0
    for line in text.splitlines():
        if not depth and line == "{":
            found.append([])
        if depth or line == "{":
            found[-1].append(line)
            depth += line.count("{") - line.count("}")
    return ["\n".join(lines) for lines in found]


def curl(text: str) -> str:
    """The one command for a shell."""
    [command] = re.findall(r"^curl .*?\}'$", text, re.DOTALL | re.MULTILINE)
    return str(command)


def python(text: str) -> str:
    """The one program in Python."""
    [program] = re.findall(r"^import os\n.*?^\)\.json\(\)$", text, re.DOTALL | re.MULTILINE)
    return str(program)


def filled(notation: str, samples: Json) -> Json:
    """A block of names and types (`name?: string; // words`) as a body with these values."""
    text = re.sub(r"//.*", "", notation)
    text = re.sub(r"(\w+)\??: (?:string|boolean)", lambda found: _pair(found[1], samples), text)
    text = re.sub(r"(\w+)\??: (?=[\[{])", r'"\1": ', text)
    text = re.sub(r";(?=\s*[\]}])", "", text).replace(";", ",")
    return dict(json.loads(text))


def _pair(name: str, samples: Json) -> str:
    return f'"{name}": {json.dumps(samples[name])}'


def billium_fields(text: str) -> list[Field]:
    """Of the request: `namestringYesDisplay name (max 200 chars).`"""
    rows = re.findall(r"^([a-z]\w*?)(string|number)(Yes|No)(.+)$", text, re.MULTILINE)
    return [Field(name, type, needed == "Yes", told) for name, type, needed, told in rows]


def txcash_fields(text: str) -> list[Field]:
    """`amount float — REQUIRED`; a few have no type."""
    types = r"string|float|integer|object\[\]|undefined\[\]"
    rows = re.findall(rf"^([a-z_]+\d?)(?: ({types}))?( — REQUIRED)?$", text, re.MULTILINE)
    return [Field(name, type or "string", bool(needed), "") for name, type, needed in rows]


def payhubix_fields(text: str) -> list[Field]:
    """Name (with a star where it is required), type and description, each in a paragraph."""
    types = "string|float|uint|int|bool|array|object"
    rows = re.findall(rf"^([a-z_.\[\]]+)(\*?)\n\n({types})\n\n(.+)$", text, re.MULTILINE)
    return [Field(name, type, bool(star), told) for name, star, type, told in rows]


def bitgpt_fields(text: str) -> list[Field]:
    """Name, type (`| null` where it may be that) and perhaps `required`, each in a line."""
    types = r"string|enum<string>|object\[\]|object"
    pattern = rf"^(\w+)\n({types})(?:<[\w-]+>)?( \| null)?\n(required)?"
    parts = re.split(pattern, text, flags=re.MULTILINE)[1:]
    rows = zip(*[iter(parts)] * 5, strict=True)
    return [
        Field(name, type, bool(must) and not null, told) for name, type, null, must, told in rows
    ]


def options_of(field: Field) -> list[str]:
    """The words that a field may have."""
    return re.findall(r"\w+", between(field.told, "Available options:\n", "\nExample"))


def status_words(face: str, text: str) -> list[object]:
    """Every word for an invoice's status that the document names, as the face's table has it."""
    match face:
        case "billium":
            return [*re.findall(r'(?:[sS]tatus": "|Always |transitions to )([A-Z_]+)', text)]
        case "txcash":
            told = between(text, "\nstatus string", "\nnotify_url")
            words = re.findall(r"^([a-z ]+): ", told, re.MULTILINE)
            codes = re.findall(r"^(\d): ", told, re.MULTILINE)
            return [(word, int(code)) for word, code in zip(words, codes, strict=True)]
        case "payhubix":
            return [*re.split(r",\s*", between(text, "Possible values are: ", "\n"))]
        case "bitgpt":
            fields = {each.name: each for each in bitgpt_fields(text)}
            return [*options_of(fields["status"]), *options_of(fields["substatus"])]
    return []  # KUNA Pay's names none
