"""The names of browsers and systems in a `User-Agent` header, as people know them."""

# Of several names in a header the first one here counts, because browsers also name those that they imitate.
BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def browser_name(user_agent: str) -> str:
    """Return the browser and its system, such as `Firefox, Windows`, or the header if neither is known."""
    names = [next((name for mark, name in known.items() if mark in user_agent), None) for known in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in names if name) or user_agent
