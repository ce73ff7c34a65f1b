from adapters.documents.wording import LABELS, Wording


def test_every_label_exists_in_both_languages():
    assert LABELS["en"].keys() == LABELS["es"].keys()
    assert all(LABELS["en"].values())
    assert all(LABELS["es"].values())


def test_every_other_language_gets_english_labels():
    assert Wording.of("ar")["goal"] == Wording.of("en")["goal"]
