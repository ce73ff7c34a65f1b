from adapters.documents.wording import ENGLISH, SPANISH, Wording


def test_every_label_exists_in_both_languages():
    assert ENGLISH.keys() == SPANISH.keys()
    assert all(ENGLISH.values())
    assert all(SPANISH.values())


def test_every_other_language_gets_english_labels():
    assert Wording.of("ar")["goal"] == Wording.of("en")["goal"]
