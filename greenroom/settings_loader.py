"""Settings read once from the environment, a `.env` file and secrets' files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from greenroom.errors import SettingsError
from greenroom.extras import needs
from greenroom.setting_types import NOT_SETTINGS, PREFIX
from greenroom.settings import Settings

with needs("app", "Reading settings"):
    from dotenv import dotenv_values


def _files_read(named: Mapping[str, str], dotenv: Path | None) -> list[Path]:
    """The files that hold settings, and a channel's API key, which is read elsewhere."""
    named_files = [Path(value) for name, value in named.items() if name.endswith("_FILE") and value]
    return [path.absolute() for path in (*named_files, *((dotenv,) if dotenv else ()))]


def load_settings(
    environment: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")
) -> Settings:
    """The settings from the environment (by default the process's own) and a ``.env`` file.

    Raises:
        SettingsError: with one line for each setting that is missing, unknown or wrong. No value of a
            secret is ever part of it.
    """
    values: dict[str, str] = {}
    if dotenv is not None and dotenv.is_file():
        values |= {name: value for name, value in dotenv_values(dotenv).items() if value is not None}
    values |= os.environ if environment is None else environment
    named = {name: value for name, value in values.items() if name.startswith(PREFIX)}
    problems: list[str] = []
    chosen: dict[str, str] = {}
    for name, value in sorted(named.items()):
        if name.startswith(NOT_SETTINGS):
            continue
        field = name.removeprefix(PREFIX).lower()
        if field in Settings.model_fields:
            chosen[field] = value
        elif field.endswith("_file") and field.removesuffix("_file") in Settings.model_fields:
            field = field.removesuffix("_file")
            if PREFIX + field.upper() in named:
                problems.append(f"{PREFIX}{field.upper()} and {name} are both set; keep one of them")
                continue
            try:
                chosen[field] = Path(value).read_text(encoding="utf-8").strip()
            except OSError as error:
                problems.append(f"{name} names {value}, which cannot be read: {error.strerror}")
        else:
            problems.append(f"{name} is not a setting of Greenroom{_suggestion(field)}")
    try:
        settings = Settings.model_validate(chosen, context={"read_from": _files_read(named, dotenv)})
    except ValidationError as error:
        raise SettingsError(_sentence([*problems, *_problems(error)])) from None
    if problems:
        raise SettingsError(_sentence(problems))
    return settings


def _suggestion(field: str) -> str:
    close = difflib.get_close_matches(field, Settings.model_fields, n=1)
    return f"; did you mean {PREFIX}{close[0].upper()}?" if close else "; see docs/reference/settings.md"


def _problems(error: ValidationError) -> list[str]:
    """A line for each wrong field; pydantic's own text would show the value, which may be a secret."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = PREFIX + str(problem["loc"][0]).upper()
        if problem["type"] == "missing":
            what = Settings.model_fields[str(problem["loc"][0])].description
            lines.append(f"{name} is not set. {what}")
        else:
            text = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {text[:1].lower()}{text[1:]}")
    return lines


def _sentence(problems: list[str]) -> str:
    return "Greenroom cannot start:\n" + "\n".join(f"  - {problem}" for problem in problems)
