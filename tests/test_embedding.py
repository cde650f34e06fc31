"""What every encoder owes its callers, on the real bundled model under both runtimes."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from index.embedding import Encoder, open_encoder
from index.embedding.onnx_runtime import OnnxEncoder
from index.embedding.sentence_transformers_runtime import SentenceTransformersEncoder
from index.embedding.tokenization import SENTENCEPIECE_FILE, sentencepiece_processor
from index.reading.preparation import reader_folder

REPOSITORY = Path(__file__).parents[1]

TEXTS = (
    "Foreningen hadde 1 369 medlemmer ved årsskiftet.",
    "Kort.",
    "Skulane på Sunnmøre får nye læreplanar hausten 2025.",
    "Bøndene på Røros fikk 4½ prosent mer for melken, jf. Prop. 121 S (2022–2023).",
)
LONG = " ".join(["Fisket etter torsk i Lofoten begynte i januar."] * 200)

# The first components, by a reference unpacker of the same weights.
KNOWN_QUERY = (
    "Hvor mange medlemmer har bransjen?",
    (0.06150, -0.01776, -0.08623, -0.05947, 0.08145, -0.08211, 0.03327, 0.07219),
)
KNOWN_DOCUMENTS = (
    (TEXTS[0], (0.09340, -0.02987, -0.02820, -0.02299, 0.07291, -0.03578, -0.04134, 0.03764)),
    (TEXTS[2], (0.02069, 0.00829, -0.04063, -0.02743, 0.09405, -0.02323, 0.01102, 0.03072)),
)


@pytest.fixture(scope="module")
def reference(model_folder: Path) -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(model_folder)


@pytest.fixture(params=["onnx", "sentence-transformers"])
def any_encoder(request: pytest.FixtureRequest) -> Encoder:
    names = {"onnx": "encoder", "sentence-transformers": "reference"}
    encoder: Encoder = request.getfixturevalue(names[request.param])
    return encoder


def test_vectors_are_unit_rows_in_the_order_of_the_texts(any_encoder: Encoder) -> None:
    vectors = any_encoder.embed_documents(TEXTS)

    assert vectors.shape == (len(TEXTS), any_encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert any_encoder.embed_documents([text])[0] @ vector > 0.9999


def test_no_texts_give_no_rows(any_encoder: Encoder) -> None:
    assert any_encoder.embed_documents([]).shape == (0, any_encoder.dimension)


def test_a_query_and_a_document_of_the_same_words_differ(any_encoder: Encoder) -> None:
    query = any_encoder.embed_query(TEXTS[0])

    assert query.shape == (any_encoder.dimension,)
    assert np.linalg.norm(query) == pytest.approx(1, abs=1e-5)
    assert query @ any_encoder.embed_documents([TEXTS[0]])[0] < 0.99


def test_a_question_is_nearest_to_its_answer(any_encoder: Encoder) -> None:
    scores = any_encoder.embed_documents(TEXTS) @ any_encoder.embed_query("Hva får bøndene betalt?")

    assert int(scores.argmax()) == 3


def test_a_text_is_cut_off_after_max_tokens(any_encoder: Encoder) -> None:
    most = any_encoder.max_tokens
    kept = " ".join(["ord"] * most)
    whole, with_more, with_less = any_encoder.embed_documents(
        [kept, f"{kept} Fisket i Lofoten", " ".join(["ord"] * (most - 1) + ["Lofoten"])]
    )

    assert any_encoder.count_tokens(kept) == most
    assert whole @ with_more > 0.999999
    assert whole @ with_less < 0.9999


def test_odd_texts_have_vectors_too(any_encoder: Encoder) -> None:
    vectors = any_encoder.embed_documents(["", " \n\t", "🙂", "\u00ad", "<s></s><mask>", LONG])

    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        *TEXTS,
        LONG,
        "",
        "a\tb\nc",
        "to  mellomrom og hardt\u00a0mellomrom",
        "å som to tegn: a\u030a, og ½, ﬁ, ＡＢ, m²",
        "co\u00adop «sitat» – tankestrek … 🙂🙃",
        "null\u200bbredde",
        "Čálliid Lágádus",
    ],
)
def test_tokens_are_counted_alike(
    text: str, encoder: Encoder, reference: SentenceTransformersEncoder
) -> None:
    assert encoder.count_tokens(text) == reference.count_tokens(text)


def test_the_runtimes_agree(encoder: Encoder, reference: SentenceTransformersEncoder) -> None:
    texts = [*TEXTS, LONG]
    cosines = (encoder.embed_documents(texts) * reference.embed_documents(texts)).sum(axis=1)

    assert cosines.min() > 0.99
    query = "Når begynner fisket?"
    assert encoder.embed_query(query) @ reference.embed_query(query) > 0.99
    assert encoder.max_tokens == reference.max_tokens == 508
    assert encoder.dimension == reference.dimension == 384
    assert encoder.fingerprint != reference.fingerprint


def test_the_bundled_weights_give_the_known_vectors(
    reference: SentenceTransformersEncoder,
) -> None:
    query, components = KNOWN_QUERY
    np.testing.assert_allclose(reference.embed_query(query)[:8], components, atol=2e-4)
    for text, components in KNOWN_DOCUMENTS:
        vector = reference.embed_documents([text])[0]
        np.testing.assert_allclose(vector[:8], components, atol=2e-4)


def test_the_served_vectors_are_near_the_known_ones(encoder: Encoder) -> None:
    query, components = KNOWN_QUERY
    np.testing.assert_allclose(encoder.embed_query(query)[:8], components, atol=0.02)


def test_neighbours_do_not_change_a_vector(encoder: Encoder) -> None:
    alone = encoder.embed_documents([TEXTS[0]])[0]
    among_others = encoder.embed_documents([LONG, TEXTS[0], "Kort."])[1]

    np.testing.assert_array_equal(alone, among_others)


def test_queries_from_several_threads_get_their_own_vectors(encoder: Encoder) -> None:
    queries = [f"Hva står det i paragraf {number}?" for number in range(24)]
    expected = [encoder.embed_query(query) for query in queries]

    with ThreadPoolExecutor(6) as pool:
        vectors = list(pool.map(encoder.embed_query, queries))

    np.testing.assert_allclose(vectors, expected, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 9])
def test_the_number_of_threads_does_not_change_vectors(
    threads: int, model_folder: Path, encoder: Encoder
) -> None:
    other = OnnxEncoder(model_folder, threads)

    np.testing.assert_allclose(
        other.embed_documents(TEXTS), encoder.embed_documents(TEXTS), atol=1e-6
    )
    assert other.fingerprint == encoder.fingerprint


def test_serving_imports_neither_torch_nor_transformers(model_folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from index.embedding import open_encoder\n"
        "assert 'onnxruntime' not in sys.modules\n"
        f"encoder = open_encoder(Path({str(model_folder)!r}))\n"
        "encoder.embed_query('Hei'), encoder.embed_documents(['Hei'])\n"
        "encoder.count_tokens('Hei')\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'onnx', 'tokenizers'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert output.strip() == "[]"


def test_open_encoder_takes_the_runtime_of_the_card(model_folder: Path) -> None:
    opened: Callable[[Path], Encoder] = open_encoder

    assert isinstance(opened(model_folder), OnnxEncoder)


def test_pieces_are_loaded_once_for_all_who_use_them(model_folder: Path) -> None:
    """The encoder and the reader have the same ones, in a file of each."""
    of_encoder = sentencepiece_processor(model_folder / SENTENCEPIECE_FILE)
    of_reader = reader_folder(model_folder.parent) / SENTENCEPIECE_FILE
    assert sentencepiece_processor(of_reader) is of_encoder
