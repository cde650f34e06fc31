"""A SentencePiece model file out of a Unigram `tokenizer.json`: the same pieces, the same ids."""

import importlib
import json
from pathlib import Path
from typing import Any


def write_sentencepiece_model(tokenizer_file: Path, target: Path) -> bool:
    """Writes the Unigram model of `tokenizer_file` to `target`; False when it is not Unigram.

    Normalisation is left out of the file on purpose: `tokenization` does it, on every text, before
    the pieces are looked up. The caller compares the ids of both before it relies on them.
    """
    definition = json.loads(tokenizer_file.read_text(encoding="utf-8"))
    unigram = definition["model"]
    # Older files leave the type out; byte fallback has pieces that this file would not mark.
    if unigram.get("type", "Unigram") != "Unigram" or unigram.get("byte_fallback"):
        return False
    if unigram.get("unk_id") is None or not isinstance(unigram.get("vocab"), list):
        return False
    target.write_bytes(_serialise(unigram, _special_pieces(definition)))
    return True


def _special_pieces(definition: dict[str, Any]) -> frozenset[str]:
    added = definition.get("added_tokens") or []
    return frozenset(token["content"] for token in added if token.get("special"))


def _serialise(unigram: dict[str, Any], special: frozenset[str]) -> bytes:
    # Typed as Any: the classes of a protobuf module come into being as it is imported.
    schema: Any = importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    model = schema.ModelProto()
    types = schema.ModelProto.SentencePiece
    unknown = unigram["unk_id"]
    for number, (piece, score) in enumerate(unigram["vocab"]):
        kind = types.NORMAL
        if number == unknown:
            kind = types.UNKNOWN
        elif piece in special:
            kind = types.CONTROL
        model.pieces.add(piece=piece, score=score, type=kind)

    names = [piece for piece, _ in unigram["vocab"]]
    trainer = model.trainer_spec
    trainer.model_type = schema.TrainerSpec.UNIGRAM
    trainer.vocab_size = len(names)
    trainer.unk_id, trainer.unk_piece = unknown, names[unknown]
    # Special tokens are put around the ids by the encoder, never by SentencePiece.
    trainer.bos_id = trainer.eos_id = trainer.pad_id = -1

    normalizer = model.normalizer_spec
    normalizer.name = "identity"
    normalizer.add_dummy_prefix = True
    normalizer.remove_extra_whitespaces = False
    normalizer.escape_whitespaces = True
    serialised: bytes = model.SerializeToString()
    return serialised
