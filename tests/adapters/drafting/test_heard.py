"""A sentence may clean up what was said, but says nothing else."""

from __future__ import annotations

import pytest

from adapters.drafting.heard import Heard

SPEECH = (
    "Um, so my name is, uh, Maria Garcia, and I, I live in Portland Oregon with my son Kevin. Kevin is not dying, "
    "he is, you know, very sick. I don't know if he can go to school. Nobody is abusing me. My landlord, he wants to "
    "evict us by Friday. I need two thousand, no wait, fifteen hundred dollars for rent, and three hundred for food. "
    "I lost my job in March. We can't pay the light bill. My car, the car insurance costs forty-five fifty."
)
SPANISH = (
    "Hola, este, me llamo Rosa Díaz y vivo en Houston. Mi hijo no está muriendo, pero está, eh, muy enfermo. "
    "Necesito mil quinientos dólares para la renta. Nadie me ha golpeado. Nunca he pedido ayuda."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "My name is Maria Garcia and I live in Portland, Oregon with my son Kevin.",
        "Kevin is not dying, he is very sick.",
        "He is very sick.",
        "Kevin isn't dying.",
        "I do not know if he can go to school.",
        "Nobody is abusing me.",
        "My landlord wants to evict us by Friday.",
        "I need $1,500 for rent, and $300 for food.",
        "I need 1,500 dollars for rent.",
        "I lost my job in March, and we can't pay the light bill.",
    ],
)
def test_a_sentence_without_fillers_stutters_and_slips_was_said(sentence: str):
    assert Heard(SPEECH, "en").says(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "My daughter has cancer.",
        "Maria Garcia lives in Portland, and her house burned down.",
        "I lost my job and my home in March.",
        "Kevin is dying.",
        "He is not very sick.",
        "Kevin is not sick.",
        "He can go to school.",
        "My landlord is abusing me.",
        "Is abusing me.",
        "My landlord does not want to evict us.",
        "We can pay the light bill.",
        "I don't need fifteen hundred dollars for rent.",
        "I need 2,500 dollars for rent.",
        "I need 1,500 euros for rent.",
        "I need $300 for rent.",
        "My name is Maria Lopez.",
        "My son Kevin wants to evict us by Friday.",
        "I lost my son in March.",
    ],
)
def test_an_invented_reversed_or_combined_sentence_was_not_said(sentence: str):
    assert not Heard(SPEECH, "en").says(sentence)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Me llamo Rosa Díaz y vivo en Houston.", True),
        ("Mi hijo no está muriendo, pero está muy enfermo.", True),
        ("Necesito $1,500 para la renta.", True),
        ("Nunca he pedido ayuda.", True),
        ("Mi hijo está muriendo.", False),
        ("Mi hijo no está muy enfermo.", False),
        ("Me ha golpeado.", False),
        ("He pedido ayuda.", False),
        ("Necesito $2,500 para la renta.", False),
        ("Me llamo Rosa Pérez.", False),
    ],
)
def test_sentences_in_spanish_are_compared_alike(sentence: str, said: bool):
    assert Heard(SPANISH, "es").says(sentence) is said


@pytest.mark.parametrize(
    ("text", "sentence", "said"),
    [
        ("Je m'appelle Anne. Mon fils n'est pas mort, il est malade.", "Mon fils n'est pas mort, il est malade.", True),
        ("Je m'appelle Anne. Mon fils n'est pas mort, il est malade.", "il est malade.", True),
        ("Je m'appelle Anne. Mon fils n'est pas mort, il est malade.", "Mon fils est mort.", False),
        ("Je m'appelle Anne. Mon fils n'est pas mort, il est malade.", "Mon fils est malade.", False),
        ("私は家賃が必要です。息子は死んでいません。", "息子は死んでいません。", True),
        ("私は家賃が必要です。息子は死んでいません。", "息子は死んでいます。", False),
    ],
)
def test_in_other_languages_only_whole_clauses_are_taken(text: str, sentence: str, said: bool):
    assert Heard(text, "fr").says(sentence) is said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rent: 1,500 USD", True),
        ("food: $300", True),
        ("light bill", True),
        ("rent: 300 USD", True),
        ("car repairs: $1,500", False),
        ("school: 4,550 USD", False),
        ("rent: 9,000 USD", False),
        ("lawyer", False),
    ],
)
def test_a_line_of_the_breakdown_has_a_label_and_a_figure_that_were_said_together(line: str, said: bool):
    assert Heard(SPEECH, "en").itemises(line) is said


def test_a_title_has_only_words_that_were_said_and_not_denied():
    heard = Heard(SPEECH, "en")
    assert heard.mentions("Help Maria Garcia with rent")
    assert heard.mentions("Help Maria Garcia with utility bills", "utility bills")
    assert not heard.mentions("Help Maria's dying son")
    assert not heard.mentions("Help Maria escape abuse")
    assert not heard.mentions("Help Maria raise $9,000")


def test_the_words_of_a_name_follow_one_another():
    heard = Heard("I'm Maria Lopez. My brother is José García. We live in Portland Oregon.", "en")
    assert heard.names("Maria Lopez")
    assert heard.names("Jose Garcia")
    assert heard.names("Maria Lopez's brother")
    assert heard.names("Portland, Oregon")
    assert not heard.names("Maria Garcia")
    assert not heard.names("Springfield")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("I have two kids and I can't pay my rent.", True),
        ("I need $800.", True),
        ("My ex never helped us.", True),
        ("I wouldn't ask if it wasn't serious.", True),
        ("I can pay my rent.", False),
        ("My ex helped us.", False),
        ("He is violent.", False),
        ("I lose my car.", False),
        ("I would ask if it wasn't serious.", False),
    ],
)
def test_clauses_are_kept_apart_without_punctuation(sentence: str, said: bool):
    speech = (
        "so i have two kids and i can't pay my rent i need eight hundred dollars my ex never helped us he isn't "
        "violent but i might lose my car i wouldn't ask if it wasn't serious"
    )
    assert Heard(speech, "en").says(sentence) is said


def test_a_question_is_no_statement():
    heard = Heard("Is he dying? I ask myself. Can you help us?", "en")
    assert heard.says("Can you help us?")
    assert not heard.says("Is he dying.")


def test_a_category_that_was_denied_was_not_said():
    heard = Heard("I need money for rent, not for medical bills. Nobody is abusing me.", "en")
    assert heard.category_places("HOUSING")
    assert not heard.category_places("HEALTHCARE")
    assert not heard.category_places("SAFETY")


def test_a_long_story_is_compared_in_reasonable_time():
    text = " ".join(f"I need help with the rent of house number {number} and with my car." for number in range(250))
    heard = Heard(text, "en")
    assert heard.says("I need help with the rent of house number 249 and with my car.")
    assert not heard.says("I need help with the rent of boat number 249 and with my car.")


LIMITED = (
    "He is not at home. I can only pay half. We almost lost the house. My son nearly died. They want up to $900. "
    "At least three of us are sick. We may lose the car. I work unless he is sick. Only my son survived. "
    "Maybe he comes back. More than ten people live here. The bill came in May. I need the money by may."
)


@pytest.mark.parametrize(
    ("sentence", "left_out"),
    [
        ("He is not at home.", "not "),
        ("I can only pay half.", "only "),
        ("We almost lost the house.", "almost "),
        ("My son nearly died.", "nearly "),
        ("They want up to $900.", "up to "),
        ("At least three of us are sick.", "At least "),
        ("We may lose the car.", "may "),
        ("I work unless he is sick.", " unless he is sick"),
        ("Only my son survived.", "Only "),
        ("Maybe he comes back.", "Maybe "),
        ("More than ten people live here.", "More than "),
    ],
)
def test_a_sentence_that_leaves_out_one_word_which_changes_its_meaning_was_not_said(sentence: str, left_out: str):
    assert Heard(LIMITED, "en").says(sentence)
    assert not Heard(LIMITED, "en").says(sentence.replace(left_out, ""))


def test_the_month_of_may_may_be_left_out():
    assert Heard(LIMITED, "en").says("The bill came.")
    assert Heard(LIMITED, "en").says("I need the money.")


@pytest.mark.parametrize(
    ("text", "sentence", "said"),
    [
        ("If we don't pay by Friday, we lose the house.", "We lose the house.", False),
        ("If we don't pay by Friday, we lose the house.", "If we don't pay by Friday, we lose the house.", True),
        ("So if he comes back, he will hurt us and the kids will be taken.", "The kids will be taken.", False),
        ("if we don't pay by friday we lose the house", "We lose the house.", False),
        ("Unless it rains, we have no water.", "We have no water.", False),
        ("We will lose the house at the end of the month if nobody pays.", "We will lose the house.", False),
        ("I lose my car, if I can't pay.", "I lose my car.", False),
        ("If you can help, we need $500 for rent.", "We need $500 for rent.", True),
        ("If you don't help, we lose the house.", "We lose the house.", False),
        ("I don't know if he can come. We need $500.", "We need $500.", True),
        ("If it rains, we get wet. We need $500.", "We need $500.", True),
        ("Si no pagamos, perdemos la casa.", "Perdemos la casa.", False),
    ],
)
def test_a_conditional_statement_is_not_said_without_its_condition(text: str, sentence: str, said: bool):
    language = "es" if text.startswith("Si ") else "en"
    assert Heard(text, language).says(sentence) is said
