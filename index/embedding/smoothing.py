"""Making a network fit for 8-bit activations, without changing what it computes.

When a network is quantised dynamically, all the numbers that enter a matrix product share one
scale. In a transformer a few of them are ten times as large as the rest, which then fall on a
handful of steps: that cost the bundled model three questions of a hundred on NorQuAD. Two exact
rearrangements even them out. Each channel is divided by a factor, and the row of weights that it
meets multiplied by the same (the idea of SmoothQuant, Xiao et al. 2023). And where a product
narrows, which in a transformer is behind the activation function, each token is divided by its
largest value, and its result multiplied by the same, so that tokens do not share a scale.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

Features = Mapping[str, npt.NDArray[np.int64]]
Channels = npt.NDArray[np.float32]

# How much of a channel's size moves into the weights. The cosine to float32 was best from 0.7 to
# 0.75, and fell off on both sides.
_MOVED = 0.7
_SMALLEST = 1e-5
_SMALLEST_NAME = "smallest_divisor"


def smooth(network: Path, target: Path, texts: Iterable[Features]) -> None:
    """Writes `network` to `target` with the inputs of its matrix products evened out.

    `texts` are inputs like those that the network will see; they show which channels are large.
    """
    model = onnx.load(network)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    products = _products_by_input(model, weights)
    sizes = _channel_sizes(model, list(products), target.with_name("observed.onnx"), texts)
    constants = [numpy_helper.from_array(np.array([_SMALLEST], np.float32), _SMALLEST_NAME)]
    before: dict[str, list[Any]] = {}
    after: dict[str, list[Any]] = {}
    for name, nodes in products.items():
        matrices = [weights[node.input[1]] for node in nodes]
        constants.append(_move_into_weights(name, sizes[name], matrices))
        narrows = all(matrix.dims[0] > matrix.dims[1] for matrix in matrices)
        before[nodes[0].output[0]] = _divisions(name, narrows)
        for node in nodes:
            result = node.output[0]
            node.input[0] = f"{name}_even"
            if narrows:
                after[result] = [
                    helper.make_node("Mul", [f"{result}_even", f"{name}_top"], [result])
                ]
    model.graph.initializer.extend(constants)
    _insert(model, before, after)
    _save(model, target)


def _products_by_input(model: Any, weights: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The products with constant matrices, by what they multiply; several may share one input."""
    uses: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    products: dict[str, list[Any]] = {}
    for node in model.graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights:
            continue
        # A matrix that is used twice cannot be scaled for one of its uses.
        if len(weights[node.input[1]].dims) == 2 and uses[node.input[1]] == 1:
            products.setdefault(node.input[0], []).append(node)
    return products


def _channel_sizes(
    model: Any, names: list[str], observed: Path, texts: Iterable[Features]
) -> dict[str, Channels]:
    """float32[channels] for each name: the largest absolute value that any text gives."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for name in names:
        copy.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    _save(copy, observed)
    session = onnxruntime.InferenceSession(observed, providers=["CPUExecutionProvider"])
    sizes: dict[str, Channels] = {}
    for features in texts:
        for name, values in zip(names, session.run(names, dict(features)), strict=True):
            largest = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            sizes[name] = np.maximum(sizes.get(name, largest), largest)
    del session  # closes the files
    for file in observed.parent.glob(f"{observed.name}*"):
        file.unlink()  # as large as the weights, of which the disk holds several by now
    return sizes


def _move_into_weights(name: str, sizes: Channels, matrices: list[Any]) -> Any:
    """Multiplies the rows of `matrices`; gives the constant that the channels are divided by."""
    values = [numpy_helper.to_array(matrix) for matrix in matrices]
    weights = np.max([np.abs(matrix).max(axis=1) for matrix in values], axis=0)
    logarithms = _MOVED * np.log(np.maximum(sizes, _SMALLEST))
    logarithms -= (1 - _MOVED) * np.log(np.maximum(weights, _SMALLEST))
    # A geometric mean of 1 keeps the numbers where they were, on the whole.
    factors = np.exp(logarithms - logarithms.mean()).astype(np.float32)
    for matrix, value in zip(matrices, values, strict=True):
        matrix.CopyFrom(numpy_helper.from_array(value * factors[:, None], matrix.name))
    return numpy_helper.from_array(factors, f"{name}_factors")


def _divisions(name: str, narrows: bool) -> list[Any]:
    """From `name` to `NAME_even`: by channel and, if its products narrow, by token."""
    if not narrows:
        return [helper.make_node("Div", [name, f"{name}_factors"], [f"{name}_even"])]
    return [
        helper.make_node("Div", [name, f"{name}_factors"], [f"{name}_channels"]),
        helper.make_node("Abs", [f"{name}_channels"], [f"{name}_sizes"]),
        helper.make_node("ReduceMax", [f"{name}_sizes"], [f"{name}_max"], axes=[-1], keepdims=1),
        helper.make_node("Max", [f"{name}_max", _SMALLEST_NAME], [f"{name}_top"]),
        helper.make_node("Div", [f"{name}_channels", f"{name}_top"], [f"{name}_even"]),
    ]


def _insert(model: Any, before: Mapping[str, list[Any]], after: Mapping[str, list[Any]]) -> None:
    """Puts nodes around those that are named by their output, which moves where any follow."""
    nodes = []
    for node in model.graph.node:
        output = node.output[0]
        if output in after:
            node.output[0] = f"{output}_even"
        nodes += [*before.get(output, []), node, *after.get(output, [])]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _save(model: Any, target: Path) -> None:
    # In a file of its own, a network of more than two gigabytes can be saved too.
    onnx.save_model(
        model,
        target,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{target.name}.data",
    )
