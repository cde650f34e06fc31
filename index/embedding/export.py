"""From a sentence-transformers model to an ONNX network, and to the same in 8-bit integers.

Networks are stored with their weights in a second file (`NAME.onnx.data`), which ONNX Runtime maps
into memory: opening is then several times faster, and of a large word table only the rows that
texts have touched are ever in memory.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.embedding.smoothing import Features, smooth

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

# The older exporter writes networks that quantise well; the newer one's lost a quarter of the
# cosine when it was tried.
_OPSET = 17

Axes = Mapping[str, dict[int, str]]
"""Tensors by name, with the names of the axes whose lengths are open."""

# Smaller tensors stay inside the network's own file.
_EXTERNAL_BYTES = 1024


def export_float32(model: "SentenceTransformer", target: Path) -> None:
    """Writes the transformer of `model` to `target`: token ids in, last hidden states out.

    int64[texts, tokens] for each of the tokenizer's outputs; float32[texts, tokens, d] back.
    Raises whatever torch raises for a network that it cannot trace.
    """
    features = model.tokenizer(
        ["Et kort eksempel", "Et annet eksempel, som er litt lengre enn det første"],
        padding=True,
        return_tensors="pt",
    )
    names = list(features)
    export(
        _last_hidden_state(model, names),
        tuple(features[name] for name in names),
        target,
        {key: {0: "texts", 1: "tokens"} for key in names},
        {"last_hidden_state": {0: "texts", 1: "tokens"}},
    )


def export(
    network: "torch.nn.Module",
    example: "tuple[torch.Tensor, ...]",
    target: Path,
    inputs: Axes,
    outputs: Axes,
) -> None:
    """Writes `network` to `target`; `inputs` and `outputs` name its tensors and their open axes."""
    import torch  # noqa: PLC0415

    target.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), _quiet_exporter():
        torch.onnx.export(
            network,
            example,
            str(target),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={**inputs, **outputs},
            opset_version=_OPSET,
            dynamo=False,
        )


def quantise(float32: Path, target: Path, texts: Iterable[Features]) -> None:
    """Writes `float32` with its weights as 8-bit integers, one scale per channel, to `target`.

    Activations are quantised while it runs (dynamic quantisation); `texts` show which of their
    channels must be evened out before.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415

    smoothed = target.with_name("smoothed.onnx")
    target.parent.mkdir(parents=True, exist_ok=True)
    smooth(float32, smoothed, texts)
    with _quiet_quantiser():
        quantize_dynamic(smoothed, target, per_channel=True, weight_type=QuantType.QInt8)


def store(network: Path, target: Path) -> None:
    """Writes `network` to `target`, its weights to `target` with `.data` behind."""
    import onnx  # noqa: PLC0415

    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(
        onnx.load(network),
        target,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{target.name}.data",
        size_threshold=_EXTERNAL_BYTES,
    )


def _last_hidden_state(model: "SentenceTransformer", names: list[str]) -> "torch.nn.Module":
    from torch import nn  # noqa: PLC0415

    class LastHiddenState(nn.Module):
        """Takes its inputs by position, which is how the exporter gives them."""

        def __init__(self, transformer: Any) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *values: "torch.Tensor") -> "torch.Tensor":
            outputs = self.transformer(**dict(zip(names, values, strict=True)))
            states: torch.Tensor = outputs.last_hidden_state
            return states

    return LastHiddenState(model.transformers_model).eval()


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hides what the older exporter says about its age, and about branches it has settled.

    Whether it settled them rightly is what the comparison with sentence-transformers shows.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _quiet_quantiser() -> Iterator[None]:
    """Drops the quantiser's advice to pre-process, which it logs to the root logger."""

    def without_advice(record: logging.LogRecord) -> bool:
        return "run pre-processing before quantization" not in record.getMessage()

    root = logging.getLogger()
    # With no handler at all, `logging.warning` would install one for the rest of the process.
    placeholder = logging.NullHandler()
    root.addHandler(placeholder)
    root.addFilter(without_advice)
    try:
        yield
    finally:
        root.removeFilter(without_advice)
        root.removeHandler(placeholder)
