"""Renders pages and mails from templates: values are escaped, and a missing value is an error."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.languages import DEFAULT_LANGUAGE, LANGUAGES, incomplete_files, translations

if TYPE_CHECKING:
    from jinja2 import Environment


# The catalogues name files from here.
_ROOT = Path(__file__).parent.parent
_PART = re.compile(r"{%-?\s*(?:extends|include|import|from)\s+[\"']([\w./-]+)[\"']")


class Unwritable(Exception):
    """The template does not exist or lacks a value; the message is the type of the error."""


class Templates:
    """The templates in folders; in HTML templates values are escaped.

    A template marks its messages with `_()` and `{% trans %}`; they are rendered in the reader's language.
    """

    def __init__(
        self,
        *folders: Path,
        filters: Mapping[str, Callable[..., Any]] | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        self._folders = folders
        self._filters = filters or {}
        self._variables = variables or {}
        self._lock = threading.Lock()
        self._languages: dict[str, frozenset[str]] = {}
        # An environment for each language, because the functions that translate belong to the environment.
        self._environments: dict[str, Environment] = {}

    def render(self, template: str, /, *, language: str = DEFAULT_LANGUAGE, **values: object) -> str:
        """Return the rendered template, which also gets `language`; Unwritable if it cannot be rendered."""
        environment = self._environment(language)
        from jinja2 import TemplateError

        try:
            return environment.get_template(template).render(values, language=language)
        except TemplateError as error:
            raise Unwritable(type(error).__name__) from None

    def language_of(self, template: str, wanted: str) -> str:
        """Return the wanted language if every message of the template is translated into it, otherwise the default.

        A reader gets no page that is half in another language. A language that is not ours stays: its page is English,
        in the direction of that language.
        """
        return wanted if self.languages_of(template).issuperset({wanted} & LANGUAGES.keys()) else DEFAULT_LANGUAGE

    def languages_of(self, template: str) -> frozenset[str]:
        """Return the languages of ours into which every message of the template is translated."""
        with self._lock:
            if template not in self._languages:
                files = {str(path.relative_to(_ROOT)) for path in self._files(template)}
                self._languages[template] = frozenset(code for code in LANGUAGES if not files & incomplete_files(code))
            return self._languages[template]

    def _files(self, template: str) -> Iterator[Path]:
        """Yield the file of the template, and those of the templates that it is made of."""
        for path in [folder / template for folder in self._folders if (folder / template).is_file()][:1]:
            yield path
            for part in dict.fromkeys(_PART.findall(path.read_text())):
                yield from self._files(part)

    def load(self) -> None:
        """Load the template library, so that the first page does not wait for it."""
        self._environment(DEFAULT_LANGUAGE)

    def _environment(self, language: str) -> Environment:
        offered = language if language in LANGUAGES else DEFAULT_LANGUAGE
        with self._lock:
            if offered not in self._environments:
                self._environments[offered] = self._new_environment(offered)
            return self._environments[offered]

    def _new_environment(self, language: str) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

        environment = Environment(
            loader=FileSystemLoader(self._folders),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.policies["ext.i18n.trimmed"] = True
        environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
        environment.filters.update(self._filters)
        environment.globals.update(self._variables)
        return environment
