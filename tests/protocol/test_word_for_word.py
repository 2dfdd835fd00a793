"""A text that a model is asked to say as it stands."""

import pytest

from runner.protocol.word_for_word import other_words, recital, recited


def test_a_recital_holds_its_text() -> None:
    """The local endpoint finds it there, and takes other instructions for none."""
    assert recited(recital("Hello.\n\nYou!")) == "Hello.\n\nYou!"
    assert recited("Say hello.") is None


@pytest.mark.parametrize(
    ("said", "others"),
    [
        ("hello Ada! This is, Contoso", 0),
        ("Hello Ada, this is Fabrikam.", 1),
        ("Hello Ada, this is.", 1),
        ("Sure! Hello Ada, this is Contoso.", 1),
        ("", 5),
        ("Good morning to you", 5),
    ],
)
def test_words_that_are_not_the_texts_are_counted(said: str, others: int) -> None:
    """Whether they were left out, added or replaced; case and punctuation are the voice's."""
    assert other_words("Hello Ada, this is Contoso.", said) == others
