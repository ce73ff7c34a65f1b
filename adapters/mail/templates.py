"""Pages and mails from templates: every value is escaped where it stands, and a missing one is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.lazy import Lazy

if TYPE_CHECKING:
    from jinja2 import Environment


class Unwritable(Exception):
    """There is no such template, or a value is missing that it asks for; the message says which kind of fault."""


class Templates:
    """The templates in a folder; in HTML what looks like markup in a value is shown as it was typed."""

    def __init__(
        self,
        folder: Path,
        *,
        filters: Mapping[str, Callable[..., Any]] | None = None,
        everywhere: Mapping[str, Any] | None = None,
    ) -> None:
        self._environment = Lazy(lambda: _environment(folder, filters or {}, everywhere or {}))

    def render(self, name: str, **values: Any) -> str:
        """The template filled in; Unwritable if it cannot be."""
        environment = self._environment()
        from jinja2 import TemplateError

        try:
            return environment.get_template(name).render(values)
        except TemplateError as error:
            raise Unwritable(type(error).__name__) from None

    def load(self) -> None:
        """So that nobody who asks for a page waits for the library."""
        self._environment()


def _environment(folder: Path, filters: Mapping[str, Callable[..., Any]], everywhere: Mapping[str, Any]) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters)
    made.globals.update(everywhere)
    return made
