"""The reader's network: E5's transformer over question and passage, with a head of three scores.

The lower layers and the embeddings are those of the bundled embedding model, unchanged; the upper
ones are trained (`scripts/train_reader.py`) and shipped. Imports torch: training and preparation
use it, serving does not.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from index.embedding.bundled import PackedModel

FROZEN_LAYERS = 2
"""Layers that stay as the embedding model has them. The ten above are 18 MB as 8-bit integers."""

Drop = Callable[[Tensor], Tensor]


class Scores(NamedTuple):
    """What the network says of float32[texts, tokens] inputs."""

    start: Tensor
    """float32[texts, tokens]: logit that the answer starts at the token."""
    end: Tensor
    """float32[texts, tokens]: logit that the answer ends with the token."""
    relevance: Tensor
    """float32[texts]: logit that the passage answers the question at all."""


class Layer(nn.Module):
    """A layer of BERT (Devlin et al. 2019), with one matrix for queries, keys and values."""

    def __init__(self, hidden: int, heads: int, feed_forward: int, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_in = nn.Linear(hidden, 3 * hidden)
        self.attention_out = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, eps=epsilon)
        self.inner = nn.Linear(hidden, feed_forward)
        self.outer = nn.Linear(feed_forward, hidden)
        self.outer_norm = nn.LayerNorm(hidden, eps=epsilon)

    def forward(self, states: Tensor, mask: Tensor | None, drop: Drop) -> Tensor:
        """`mask` is added to attention's logits: float[texts, 1, 1, tokens]."""
        texts, tokens, hidden = states.shape
        width = hidden // self.heads
        parts = self.attention_in(states).view(texts, tokens, 3, self.heads, width)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        logits = torch.matmul(query * (1 / math.sqrt(width)), key.transpose(-1, -2))
        if mask is not None:
            logits = logits + mask
        mixed = torch.matmul(logits.softmax(-1), value)
        mixed = mixed.transpose(1, 2).reshape(texts, tokens, hidden)
        states = self.attention_norm(states + drop(self.attention_out(mixed)))
        result: Tensor = self.outer_norm(
            states + drop(self.outer(functional.gelu(self.inner(states))))
        )
        return result


class ReaderNetwork(nn.Module):
    """Built of the bundled model's packed weights; `trained` replaces those that were trained."""

    def __init__(
        self,
        packed: PackedModel,
        trained: Mapping[str, Tensor] | None = None,
        frozen: int = FROZEN_LAYERS,
    ) -> None:
        super().__init__()
        self._frozen = frozen
        hidden = packed.hidden
        self.words = nn.Embedding(packed.vocabulary, hidden)
        self.positions = nn.Embedding(packed.positions, hidden)
        self.norm = nn.LayerNorm(hidden, eps=packed.epsilon)
        self.layers = nn.ModuleList(
            Layer(hidden, packed.heads, packed.feed_forward, packed.epsilon)
            for _ in range(packed.layers)
        )
        self.span_head = nn.Linear(hidden, 2)
        self.relevance_head = nn.Linear(hidden, 1)
        for module in (self.span_head, self.relevance_head):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        self._load(packed)
        if trained is not None:
            missing = set(self.trained_names()) ^ set(trained)
            if missing:
                raise ValueError(f"the reader's weights do not fit its network: {sorted(missing)}")
            self.load_state_dict(dict(trained), strict=False)

    def trained_names(self) -> list[str]:
        """Names in the state that training changes, and that are shipped."""
        frozen = (
            "words.",
            "positions.",
            "norm.",
            *tuple(f"layers.{number}." for number in range(self._frozen)),
        )
        return [name for name in self.state_dict() if not name.startswith(frozen)]

    def lower(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """States after the frozen layers: float32[texts, tokens, hidden] of int64 `ids`."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        states: Tensor = self.norm(self.words(ids) + self.positions(positions))
        for layer in self.layers[: self._frozen]:
            states = layer(states, mask, _keep)
        return states

    def upper(self, states: Tensor, mask: Tensor | None = None, drop: Drop | None = None) -> Scores:
        for layer in self.layers[self._frozen :]:
            states = layer(states, mask, drop or _keep)
        spans = self.span_head(states)
        relevance = self.relevance_head(states[:, 0])[:, 0]
        return Scores(spans[..., 0], spans[..., 1], relevance)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of texts of one length, without padding: what is exported."""
        return tuple(self.upper(self.lower(ids)))  # type: ignore[return-value]

    def _load(self, packed: PackedModel) -> None:
        def weights(name: str, *shape: int) -> Tensor:
            return torch.from_numpy(packed.tensor(name)).reshape(shape)

        hidden, inner = packed.hidden, packed.feed_forward
        state = {
            "words.weight": weights("emb.word", packed.vocabulary, hidden),
            # E5 has but one type of token in use, whose embedding every position gets.
            "positions.weight": weights("emb.pos", packed.positions, hidden)
            + weights("emb.type", packed.token_types, hidden)[0],
            "norm.weight": weights("emb.ln.w", hidden),
            "norm.bias": weights("emb.ln.b", hidden),
        }
        for number in range(packed.layers):
            packed_layer, layer = f"l{number}", f"layers.{number}"
            for kind, ending, shape in (("weight", "w", (hidden,)), ("bias", "b", ())):
                parts = [
                    weights(f"{packed_layer}.{name}.{ending}", hidden, *shape) for name in "qkv"
                ]
                state[f"{layer}.attention_in.{kind}"] = torch.cat(parts)
            for name, short, rows, columns in (
                ("attention_out", "ao", hidden, hidden),
                ("inner", "fi", inner, hidden),
                ("outer", "fo", hidden, inner),
            ):
                state[f"{layer}.{name}.weight"] = weights(
                    f"{packed_layer}.{short}.w", rows, columns
                )
                state[f"{layer}.{name}.bias"] = weights(f"{packed_layer}.{short}.b", rows)
            for name, short in (("attention_norm", "aln"), ("outer_norm", "oln")):
                state[f"{layer}.{name}.weight"] = weights(f"{packed_layer}.{short}.w", hidden)
                state[f"{layer}.{name}.bias"] = weights(f"{packed_layer}.{short}.b", hidden)
        self.load_state_dict(state, strict=False)


def _keep(states: Tensor) -> Tensor:
    return states
