"""The text that explains the files of an archive to the person whose story it is."""

from adapters.languages import translations

_WIDTH = 19


def guide(language: str) -> str:
    """Return the text in the reader's language."""
    _ = translations(language).gettext
    files = {
        "ticket.json": _("your name, your contact, and how far the story is"),
        "recordings/": _("what you said"),
        "recordings.json": _("when each recording arrived, and how long it is"),
        "transcripts/": _("your words as text; a .json file also has the time of each word"),
        "draft.json": _("the story as it is, or would be, on the campaign page"),
        "documents/": _("the documents that were made of the story"),
        "documents.json": _("when each document was made"),
        "attachments/": _("your photos and letters"),
        "attachments.json": _("the name of each photo and letter, and the words that describe the picture"),
        "voice.mp3": _("the part of your recording that people hear on your page, once you say so"),
        "voice.json": _("what you say in that part, and from where to where it goes"),
        "consents.json": _("what you allowed to show, what you took back, and when"),
        "updates.json": _("what you told those who gave"),
        "donations.json": _("the gifts, and what became of them"),
        "history.json": _("everything that happened, in its order"),
        "missing.txt": _("if there is such a file, it names what is no longer stored"),
    }
    return "\n".join(
        (
            _("This archive has everything that Storyledger keeps of one story."),
            "",
            *(f"{name:{_WIDTH}}{words}" for name, words in files.items()),
            "",
            _("A file that has nothing to say may be missing."),
            _("An organisation's key may not see gifts without leave, and never the history."),
            "",
            _("Keep this archive in a safe place. A person who has it can read and hear all of this."),
            "",
        )
    )
