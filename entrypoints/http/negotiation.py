"""Content negotiation: the media type that a client prefers, and whether it has the content already."""


def preferred(accept: str | None, offered: tuple[str, ...]) -> str:
    """Return the offered media type that the `Accept` header ranks highest, the first one if it ranks them equally."""
    best, best_rank = offered[0], -1.0
    for entry in (accept or "*/*").split(",")[:20]:
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((_quality(p) for p in parameters if p.startswith("q=")), 1.0)
        for number, media_type in enumerate(offered):
            kind = media_type.partition("/")[0]
            exact = 0.001 * (name == media_type) + 0.0005 * (name == f"{kind}/*")
            rank = quality + exact - number * 1e-6
            if name in (media_type, f"{kind}/*", "*/*") and rank > best_rank and quality > 0:
                best, best_rank = media_type, rank
    return best


def _quality(parameter: str) -> float:
    try:
        return min(1.0, max(0.0, float(parameter[2:])))
    except ValueError:
        return 0.0


def matches_etag(if_none_match: str | None, etag: str) -> bool:
    """Return True if the `If-None-Match` header names the ETag (compared weakly, RFC 9110)."""
    tags = [tag.strip() for tag in (if_none_match or "").split(",")]
    return "*" in tags or etag in [tag.removeprefix("W/") for tag in tags]
