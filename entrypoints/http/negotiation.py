"""Content negotiation: the media type that a client prefers, and whether it has the current content already."""

MAX_ACCEPT_ENTRIES = 20


def preferred(accept: str | None, offered: tuple[str, ...]) -> str:
    """Return the offered media type that the `Accept` header ranks highest.

    Of several that rank equally, or if the header accepts none, it is the first one.
    """
    entries = [entry.lower().split(";") for entry in (accept or "*/*").split(",")[:MAX_ACCEPT_ENTRIES]]
    qualities = {
        media_range.strip(): next((_quality(text) for text in map(str.strip, parameters) if text[:2] == "q="), 1.0)
        for media_range, *parameters in entries
    }

    def rank(media_type: str) -> tuple[float, int]:
        """Return the quality in the most specific range that names the type, and how specific that range is."""
        ranges = (media_type, media_type.partition("/")[0] + "/*", "*/*")
        return next(((qualities[name], -place) for place, name in enumerate(ranges) if name in qualities), (0.0, -3))

    acceptable = [media_type for media_type in offered if rank(media_type)[0] > 0]
    # Of equal ranks, `max` returns the first.
    return max(acceptable, key=rank, default=offered[0])


def _quality(parameter: str) -> float:
    try:
        return min(1.0, max(0.0, float(parameter[2:])))
    except ValueError:
        return 0.0


def matches_etag(if_none_match: str | None, etag: str) -> bool:
    """Return True if the `If-None-Match` header names the ETag (compared weakly, RFC 9110)."""
    tags = [tag.strip() for tag in (if_none_match or "").split(",")]
    return "*" in tags or etag in [tag.removeprefix("W/") for tag in tags]
