"""Renders pages and mails from templates: values are escaped, and a missing value is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.lazy import Lazy

if TYPE_CHECKING:
    from jinja2 import Environment


class Unwritable(Exception):
    """The template does not exist or lacks a value; the message is the type of the error."""


class Templates:
    """The templates in a folder; in HTML templates values are escaped."""

    def __init__(
        self,
        folder: Path,
        *,
        filters: Mapping[str, Callable[..., Any]] | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        self._environment = Lazy(lambda: _environment(folder, filters or {}, variables or {}))

    def render(self, name: str, **values: object) -> str:
        """Return the rendered template; Unwritable if it cannot be rendered."""
        environment = self._environment()
        from jinja2 import TemplateError

        try:
            return environment.get_template(name).render(values)
        except TemplateError as error:
            raise Unwritable(type(error).__name__) from None

    def load(self) -> None:
        """Load the template library, so that the first page does not wait for it."""
        self._environment()


def _environment(folder: Path, filters: Mapping[str, Callable[..., Any]], variables: Mapping[str, Any]) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    environment.globals.update(variables)
    return environment
