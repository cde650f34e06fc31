"""The reader: tokens and their places, spans, and the real network on questions of our own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.embedding.tokenization import SENTENCEPIECE_FILE, SentencePieceTokenization
from index.errors import ModelNotPreparedError
from index.reading.card import CARD_FILE, NETWORK_FILE
from index.reading.preparation import WEIGHTS, prepare_reader, reader_folder
from index.reading.reader import LONGEST_ANSWER, Reader, Reading, reading_of
from index.reading.tokens import (
    CONTEXT_TOKENS,
    PASSAGE_TOKENS,
    QUESTION_TOKENS,
    PassageTokens,
    ReaderTokenization,
    joined,
)

PASSAGE = (
    "Biblioteket på Nordnes åpnet i 1987 og har fire ansatte. Hver torsdag leser Ingrid Moe høyt "
    "for barn. Utlånet var 12 400 bøker i fjor, fordi skolene lånte mer enn før."
)


@pytest.fixture(scope="module")
def tokenization(model_folder: Path) -> ReaderTokenization:
    return ReaderTokenization(reader_folder(model_folder.parent) / SENTENCEPIECE_FILE)


class TestTokens:
    def test_a_passage_has_the_ids_that_the_embedding_model_gives_it(
        self, tokenization: ReaderTokenization, model_folder: Path
    ) -> None:
        embedding = SentencePieceTokenization(model_folder / SENTENCEPIECE_FILE)
        for text in (PASSAGE, "½ ﬁsk\n\n• Æøå – «sitat»", "", "  \n "):
            assert tokenization.passage("", text).passage == embedding.encode(text)

    def test_tokens_stand_where_their_words_stand(self, tokenization: ReaderTokenization) -> None:
        tokens = tokenization.passage("", PASSAGE)
        read = [PASSAGE[start:end] for start, end in tokens.spans]
        assert "".join(read) == PASSAGE.replace(" ", "")

    @given(st.text(max_size=120))
    def test_any_text_has_places_in_order_and_within_it(
        self, tokenization: ReaderTokenization, text: str
    ) -> None:
        tokens = tokenization.passage("", text)
        assert len(tokens.passage) == len(tokens.spans)
        assert all(0 <= start <= end <= len(text) for start, end in tokens.spans)
        assert [start for start, _ in tokens.spans] == sorted(start for start, _ in tokens.spans)

    def test_long_texts_are_cut_to_a_known_cost(self, tokenization: ReaderTokenization) -> None:
        question = tokenization.question("ord " * 1000)
        tokens = tokenization.passage("tittel " * 1000, "ord " * 1000)
        assert len(question) == QUESTION_TOKENS
        assert len(tokens.context) == CONTEXT_TOKENS
        assert len(tokens.passage) == PASSAGE_TOKENS
        longest = QUESTION_TOKENS + CONTEXT_TOKENS + PASSAGE_TOKENS + 4
        assert len(joined(question, tokens).ids) == longest <= 512

    def test_the_passage_begins_where_it_is_said_to(self) -> None:
        tokens = PassageTokens([7], [8, 9], [(0, 1), (1, 2)])
        given = joined([5, 6], tokens)
        assert given.ids == [0, 5, 6, 2, 7, 2, 8, 9, 2]
        assert given.ids[given.first : given.first + 2] == [8, 9]


LOGITS = st.lists(st.floats(-5, 5), min_size=1, max_size=50)


def reading(starts: list[float], ends: list[float]) -> Reading:
    """Of a passage whose tokens are one letter each."""
    spans = [(at, at + 1) for at in range(len(starts))]
    tokens = PassageTokens([], [0] * len(starts), spans)
    return reading_of(tokens, 0, np.array(starts, np.float32), np.array(ends, np.float32), 0.0)


class TestSpans:
    @given(st.data())
    def test_the_best_span_is_the_best_of_all_that_lie_within(self, data: st.DataObject) -> None:
        starts = data.draw(LOGITS)
        ends = data.draw(st.lists(st.floats(-5, 5), min_size=len(starts), max_size=len(starts)))
        first = data.draw(st.integers(0, len(starts) - 1))
        last = data.draw(st.integers(first + 1, len(starts)))
        read = reading(starts, ends)
        best = read.best_within(first, last)
        assert best is not None
        assert first <= best.start < best.end <= last
        assert best.end - best.start <= LONGEST_ANSWER
        possible = [
            float(read.starts[i] + read.ends[j])
            for i in range(first, last)
            for j in range(i, min(last, i + LONGEST_ANSWER))
        ]
        assert best.score == pytest.approx(max(possible))
        assert best.score <= 0

    def test_nothing_lies_within_what_was_not_read(self) -> None:
        assert reading([1.0, 2.0], [1.0, 2.0]).best_within(5, 9) is None
        assert reading([1.0], [1.0]).best_within(0, 0) is None


class TestReader:
    """The real network."""

    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            ("Når åpnet biblioteket på Nordnes?", "1987"),
            ("Hvem leser høyt for barn?", "Ingrid Moe"),
            ("Kor mange tilsette har biblioteket?", "fire"),
            ("How many books were lent?", "12 400"),
        ],
    )
    def test_it_finds_the_words_that_answer(
        self, reader: Reader, question: str, answer: str
    ) -> None:
        (read,) = reader.read_texts(question, [("Bibliotek", PASSAGE)])
        best = read.best_within(0, len(PASSAGE))
        assert best is not None
        assert answer in PASSAGE[best.start : best.end]
        assert len(PASSAGE[best.start : best.end]) < 30

    def test_it_tells_a_passage_that_answers_from_one_that_does_not(self, reader: Reader) -> None:
        other = "Svømmehallen er stengt for oppussing fra april til september."
        right, wrong = reader.read_texts("Hvem leser høyt?", [("", PASSAGE), ("", other)])
        assert right.relevance > wrong.relevance + 2

    def test_a_passage_is_read_by_itself(self, reader: Reader) -> None:
        alone = reader.read_texts("Hvem leser høyt?", [("", PASSAGE)])[0]
        among = reader.read_texts("Hvem leser høyt?", [("", "Kort."), ("", PASSAGE)])[1]
        assert among.relevance == pytest.approx(alone.relevance, abs=1e-5)
        assert np.allclose(among.starts, alone.starts, atol=1e-5)

    def test_an_empty_passage_and_no_passage_can_be_read(self, reader: Reader) -> None:
        assert reader.read_texts("Hva?", []) == []
        (read,) = reader.read_texts("Hva?", [("", "")])
        assert read.best_within(0, 0) is None


class TestPreparation:
    def test_what_is_ready_is_not_prepared_again(self, model_folder: Path) -> None:
        lines: list[str] = []
        folder = prepare_reader(model_folder.parent, lines.append)
        assert folder == reader_folder(model_folder.parent)
        assert lines == []

    def test_the_quantised_reader_agrees_with_its_weights(self, model_folder: Path) -> None:
        card = json.loads((reader_folder(model_folder.parent) / CARD_FILE).read_text("utf-8"))
        assert card["check"]["mean_relevance_difference"] < 0.5
        assert card["check"]["texts"] >= 100

    def test_the_weights_stay_small_enough_to_be_committed(self) -> None:
        assert WEIGHTS.stat().st_size < 25_000_000

    @pytest.mark.parametrize(
        "harm",
        [
            lambda folder: (folder / CARD_FILE).unlink(),
            lambda folder: (folder / CARD_FILE).write_text("{"),
            lambda folder: (folder / CARD_FILE).write_text("{}"),
            lambda folder: (folder / NETWORK_FILE).write_bytes(b"x"),
            lambda folder: (folder / SENTENCEPIECE_FILE).unlink(),
        ],
    )
    def test_a_damaged_folder_names_the_remedy(
        self, model_folder: Path, tmp_path: Path, harm: Callable[[Path], object]
    ) -> None:
        folder = tmp_path / "reader"
        shutil.copytree(reader_folder(model_folder.parent), folder)
        harm(folder)
        with pytest.raises(ModelNotPreparedError, match="kildesvar prepare"):
            Reader(folder)

    def test_a_machine_that_reads_otherwise_is_refused(
        self, model_folder: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "reader"
        shutil.copytree(reader_folder(model_folder.parent), folder)
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        card["probe"]["relevance"] += 5
        (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
        with pytest.raises(ModelNotPreparedError, match="reads otherwise"):
            Reader(folder)


def test_weights_come_back_as_they_were_but_for_rounding(tmp_path: Path) -> None:
    import torch

    from index.reading.weights import read_weights, write_weights

    matrix = torch.randn(5, 7) * torch.tensor([1e-3, 0.1, 1.0, 10.0, 0.0])[:, None]
    weights = {"layer.weight": matrix, "layer.bias": torch.randn(5)}
    write_weights(weights, tmp_path / "weights")
    found = read_weights(tmp_path / "weights")
    assert set(found) == set(weights)
    assert torch.equal(found["layer.bias"], weights["layer.bias"])
    step = matrix.abs().amax(1, keepdim=True) / 127
    assert ((found["layer.weight"] - matrix).abs() <= step * 0.501).all()


def test_the_network_computes_what_the_embedding_model_computes() -> None:
    """With untrained weights its states are those of the transformer that it was built of."""
    import torch

    from index.embedding.bundled import _network, locate, read_packed
    from index.reading.network import FROZEN_LAYERS, ReaderNetwork

    packed = read_packed(locate())
    ids = torch.tensor([[0, 581, 60042, 2, 98, 2]])
    ours = ReaderNetwork(packed)
    with torch.no_grad():
        states = ours.lower(ids)
        for layer in ours.layers[FROZEN_LAYERS:]:
            states = layer(states, None, lambda kept: kept)
        theirs = _network(packed).train(False)(input_ids=ids).last_hidden_state
    assert torch.allclose(states, theirs, atol=1e-4)


def test_padding_changes_nothing() -> None:
    import torch

    from index.embedding.bundled import locate, read_packed
    from index.reading.network import ReaderNetwork

    network = ReaderNetwork(read_packed(locate()))
    ids = torch.tensor([[0, 581, 60042, 2, 98, 2]])
    padded = torch.cat([ids, torch.ones(1, 4, dtype=torch.int64)], 1)
    mask = torch.tensor([0.0] * 6 + [-1e4] * 4)[None, None, None, :]
    with torch.no_grad():
        alone = network.upper(network.lower(ids))
        among = network.upper(network.lower(padded, mask), mask)
    assert torch.allclose(alone.relevance, among.relevance, atol=1e-4)
    assert torch.allclose(alone.start, among.start[:, :6], atol=1e-4)
