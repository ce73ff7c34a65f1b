"""Which form of an answer a client would rather have, and whether it has it already."""

from __future__ import annotations


def preferred(accept: str | None, offered: tuple[str, ...]) -> str:
    """The media type that the `Accept` header likes best, the first offered where it does not care."""
    best, liking = offered[0], -1.0
    for entry in (accept or "*/*").split(",")[:20]:
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((_quality(p) for p in parameters if p.startswith("q=")), 1.0)
        for number, media_type in enumerate(offered):
            kind = media_type.partition("/")[0]
            exact = 0.001 * (name == media_type) + 0.0005 * (name == f"{kind}/*")
            if name in (media_type, f"{kind}/*", "*/*") and quality + exact - number * 1e-6 > liking and quality > 0:
                best, liking = media_type, quality + exact - number * 1e-6
    return best


def _quality(parameter: str) -> float:
    try:
        return min(1.0, max(0.0, float(parameter[2:])))
    except ValueError:
        return 0.0


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the `If-None-Match` header says that the client has this very thing (compared weakly, RFC 9110)."""
    tags = [tag.strip() for tag in (if_none_match or "").split(",")]
    return "*" in tags or etag in [tag.removeprefix("W/") for tag in tags]
