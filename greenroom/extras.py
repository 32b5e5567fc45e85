"""What the wheel alone does not bring: a package that needs an extra says which, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Around imports of what an extra brings.

    Args:
        extra: its name in pyproject.toml.
        what: what is being imported, for the sentence.

    Raises:
        ModuleNotFoundError: one of its libraries is not installed; the text says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == "greenroom":
            raise
        text = f"{what} needs {error.name}, which is not installed. Run: pip install 'greenroom[{extra}]'"
        raise ModuleNotFoundError(text, name=error.name) from error
