"""Sentences and the sources that they name, out of text that comes in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answering.drafting import Draft, Drafted


def drafted(text: str, size: int = 10_000) -> list[Drafted]:
    draft = Draft()
    found = [s for at in range(0, len(text), size) for s in draft.take(text[at : at + size])]
    return found + draft.end()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Rådet har ni medlemmer. [1]", [("Rådet har ni medlemmer.", (1,))]),
        ("Rådet har ni medlemmer [2].", [("Rådet har ni medlemmer.", (2,))]),
        ("Rådet har ni [1][3]. Det møtes. [2]", [("Rådet har ni.", (1, 3)), ("Det møtes.", (2,))]),
        ("Det møtes [1, 2; 5].", [("Det møtes.", (1, 2, 5))]),
        ("Det møtes. [Kilde 4]", [("Det møtes.", (4,))]),
        ("Det møtes.", [("Det møtes.", ())]),
        ("Se Meld. St. 9 (2023–2024). [1]", [("Se Meld. St. 9 (2023–2024).", (1,))]),
        ("Det kom 8. april. [1] Så gikk det.", [("Det kom 8. april.", (1,)), ("Så gikk det.", ())]),
        ("- **Rådet** møtes [1]\n2. Det er `bra`", [("Rådet møtes", (1,)), ("Det er bra", ())]),
        ("## Svar\n\n> Rådet møtes [1].", [("Svar", ()), ("Rådet møtes.", (1,))]),
        ("Rådet møtes. [1", [("Rådet møtes.", ())]),
        ("<think>Hva er [1]? La oss se.</think>\n\nNi. [1]", [("Ni.", (1,))]),
        ("<think>Uten ende", []),
        ("[1] [2]", []),
        ("1. juli 2025 trer den i kraft. [1]", [("1. juli 2025 trer den i kraft.", (1,))]),
        ("3. kvartal var bra [1].", [("3. kvartal var bra.", (1,))]),
        ("Slik: [1]\n1. Rådet møtes. [2]", [("Slik:", (1,)), ("Rådet møtes.", (2,))]),
        (
            "Se [[1]] og [2024] i\u202e kap. \x00[a]. [7[2]]",
            [("Se ( ) og (2024) i kap. (a).", (1,)), ("(7 )", (2,))],
        ),
        ("Rådet \ud83d møtes. [1]", [("Rådet \ufffd møtes.", (1,))]),
        ("  \n\n", []),
    ],
)
def test_sentences_and_their_numbers(
    text: str, sentences: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert [(sentence.text, sentence.numbers) for sentence in drafted(text)] == sentences


def test_a_paragraph_begins_where_a_line_does() -> None:
    text = "En. [1] To. [2]\n\nTre. [1]\nFire. [1]"
    assert [sentence.opens for sentence in drafted(text)] == [True, False, True, True]


def test_a_sentence_comes_as_soon_as_the_next_has_begun() -> None:
    draft = Draft()
    assert draft.take("Rådet har ni medlemmer. [1]") == []
    assert draft.take(" Det ") == []
    [sentence] = draft.take("møtes ")
    assert sentence == Drafted("Rådet har ni medlemmer.", (1,), opens=True)
    assert draft.take("ofte.\n") == [Drafted("Det møtes ofte.", (), opens=False)]


PARTS = st.sampled_from(
    ["Rådet har ni medlemmer", ". ", " [1]", "[2, 3]", "\n", "\n\n", "- ", "Meld. St. 9", "8. mai",
     " De møtes", "! ", " og", "**", "[", "]", "<", "Hva? ", "jf. § 3-1 ", " Det", " 12.", " Å"]
)  # fmt: skip


def test_a_line_without_end_is_ended() -> None:
    draft = Draft()
    found = [sentence for _ in range(4000) for sentence in draft.take("jf. ")]
    assert 5 < len(found) < 10


def test_what_breaks_off_is_whole_where_it_has_its_stop_and_its_number() -> None:
    for text, kept in [("Ni. [1] Ti. [2]", 2), ("Ni. [1] Ti.", 1), ("Ni. [1] Ti [2]", 1)]:
        draft = Draft()
        draft.take(text)
        assert len(draft.break_off()) == kept, text


@given(st.lists(PARTS, max_size=25).map("".join), st.integers(1, 9))
def test_the_pieces_make_no_difference(text: str, size: int) -> None:
    assert drafted(text, size) == drafted(text)
