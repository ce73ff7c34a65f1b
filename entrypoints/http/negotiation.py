"""Content negotiation: the media type that a client prefers, and whether it has the current content already."""

MAX_ACCEPT_ENTRIES = 20


def preferred(accept: str | None, offered: tuple[str, ...]) -> str:
    """Return the offered media type that the `Accept` header ranks highest.

    Of several that rank equally, or if the header accepts none, it is the first one.
    """
    best, best_rank = offered[0], (0.0, 0, 0)
    for entry in (accept or "*/*").split(",")[:MAX_ACCEPT_ENTRIES]:
        media_range, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((_quality(parameter) for parameter in parameters if parameter.startswith("q=")), 1.0)
        for number, media_type in enumerate(offered):
            ranges = ("*/*", media_type.partition("/")[0] + "/*", media_type)
            if media_range in ranges and quality > 0:
                # Quality decides first, then how specific the range is, then the order of the offer.
                rank = quality, ranges.index(media_range), -number
                if rank > best_rank:
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
