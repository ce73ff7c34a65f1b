"""`python -m adapters.languages.extraction`: writes the messages of the code and of the templates into the catalogues.

Translations are kept; new messages come without one, and messages that are gone are removed.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from adapters.languages import DEFAULT_LANGUAGE, LANGUAGES

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("adapters", "entrypoints")
METHODS = [("**.html", "jinja2"), ("**/templates/**.txt", "jinja2"), ("**.py", "python")]
OPTIONS = {
    pattern: {"trimmed": "true", "newstyle_gettext": "true"} for pattern, method in METHODS if method == "jinja2"
}


def messages() -> Catalog:
    """Return a catalogue of every message, without translations."""
    catalogue = Catalog()
    for folder in FOLDERS:
        messages = extract_from_dir(ROOT / folder, METHODS, OPTIONS, comment_tags=("Translators:",))
        for name, _, message, comments, context in messages:
            catalogue.add(message, locations=[(f"{folder}/{name}", 0)], auto_comments=comments, context=context)
    return catalogue


def updated(language: str, template: Catalog) -> Catalog:
    """Return the language's catalogue with exactly the messages of the template."""
    path = catalogue_path(language)
    catalogue = Catalog(locale=language)
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    return catalogue


def catalogue_path(language: str) -> Path:
    return Path(__file__).with_name(f"{language}.po")


def main() -> None:
    template = messages()
    for language in LANGUAGES:
        if language != DEFAULT_LANGUAGE:
            catalogue, content = updated(language, template), io.BytesIO()
            # Without a header, which would have the time at which it was written.
            write_po(content, catalogue, omit_header=True, sort_output=True, width=120, include_lineno=False)
            catalogue_path(language).write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
