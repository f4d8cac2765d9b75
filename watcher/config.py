"""Reading the configuration: a TOML file, then the environment, which wins.

Whatever is wrong is told by name in a `ConfigError`, all of it at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from watcher.settings import Settings

__all__ = ["ConfigError", "Settings", "load"]

PREFIX = "WATCHER_"
DELIMITER = "__"

_SENTENCES = {
    "extra_forbidden": "unknown key",
    "missing": "required",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": "must be text in quotes",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "path_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "has characters that are not allowed here, or is too long",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
}


class ConfigError(Exception):
    """The configuration cannot be used. One line per problem: the key's path and the reason."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Settings from the file, if there is one, overridden by `WATCHER_SECTION__KEY` variables.

    In variables, lists and tables are JSON. A table is merged into the file's, a list replaces it.

    Raises:
        ConfigError: names every key and variable that cannot be used, and why.
    """
    file = {} if path is None else _read(path)
    known = Settings.model_fields
    problems = [f"{key}: unknown key" for key in file if key not in known]
    problems += [f"{name}: unknown environment variable" for name in _strangers(environ, known)]
    values = {key: file[key] for key in known if key in file}
    values = _merge(values, _Environment(environ)())
    for section in ("admin", "secrets"):  # absent, it hides which of its keys are missing
        values.setdefault(section, {})
    try:
        settings = Settings(**values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise ConfigError(*problems, *map(_sentence, details)) from None  # it holds the input
    if problems:
        raise ConfigError(*problems)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


class _Environment(EnvSettingsSource):
    """Values from a given environment, in the nesting of their names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Leave what is not JSON as it is: its validation names the key, the decoder cannot."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _strangers(environ: Mapping[str, str], sections: Iterable[str]) -> list[str]:
    """Variables that only look like ours; those within a section are checked with it."""
    return [
        name
        for name in sorted(environ)
        if name.upper().startswith(PREFIX)
        and name[len(PREFIX) :].lower().partition(DELIMITER)[0] not in sections
    ]


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            value = _merge(below, value)
        merged[key] = value
    return merged


def _sentence(error: ErrorDetails) -> str:
    """One refusal as "key.path: reason", without the value."""
    where = ".".join(str(part) for part in error["loc"] if part != "[key]")
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return f"{where}: {context['error']}"
    template = _SENTENCES.get(error["type"])
    return f"{where}: {template.format(**context) if template else error['msg']}"
