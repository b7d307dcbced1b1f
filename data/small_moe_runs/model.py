"""The model: a small decoder-only transformer whose feed-forward layers are dense or mixtures of experts.

Written so that one core is kept busy by matrix products: tokens are sorted by expert and each expert
multiplies its own rows, whatever their number, so no token is ever dropped; and the output layer's loss
goes through the vocabulary a few hundred tokens at a time, which stays in the processor's cache.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moelaws.models.catalogue import Architecture

ROWS = 512
"""Tokens whose logits are in memory at once."""


@dataclass(frozen=True)
class Routing:
    """What a layer's router did with a batch.

    Parameters
    ----------
    counts : torch.Tensor
        Tokens that each expert received.
    balance : torch.Tensor
        Load-balancing loss: 1 where all experts are used alike, and up to `n_routed / top_k`.
    z : torch.Tensor
        Mean square of the logits' log-sum-exp, which is kept small.
    """

    counts: Tensor
    balance: Tensor
    z: Tensor


def working(x: Tensor) -> Tensor:
    """Return a tensor in the precision of the matrix products: that of autocast where it is on."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


class GroupedLinear(torch.autograd.Function):
    """Multiply the rows of each group by the group's own matrix."""

    @staticmethod
    def forward(ctx, rows: Tensor, weights: Tensor, counts: list[int]) -> Tensor:
        """Return ``rows`` (tokens × in), sorted by group, times ``weights`` (groups × in × out)."""
        ctx.save_for_backward(rows, weights)
        ctx.counts = counts
        product = rows.new_empty(len(rows), weights.shape[2])
        for some, weight, out in zip(rows.split(counts), weights, product.split(counts), strict=True):
            torch.mm(some, weight, out=out)
        return product

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of rows and weights."""
        rows, weights = ctx.saved_tensors
        of_rows, of_weights = torch.empty_like(rows), torch.empty_like(weights)
        groups = zip(
            rows.split(ctx.counts),
            weights.transpose(1, 2),
            gradient.contiguous().split(ctx.counts),
            of_rows.split(ctx.counts),
            of_weights,
            strict=True,
        )
        for some, weight, above, of_some, of_weight in groups:
            torch.mm(above, weight, out=of_some)
            torch.mm(some.t(), above, out=of_weight)
        return of_rows, of_weights, None


class CrossEntropy(torch.autograd.Function):
    """Loss of each token, from hidden states and the output matrix, a few rows at a time."""

    @staticmethod
    def forward(ctx, hidden: Tensor, matrix: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss over all tokens; its gradients are computed along with it."""
        of_hidden = torch.empty_like(hidden)
        of_matrix = torch.zeros_like(matrix, dtype=torch.float32)
        total = hidden.new_zeros((), dtype=torch.float32)
        for rows, wanted, of_rows in zip(hidden.split(ROWS), targets.split(ROWS), of_hidden.split(ROWS), strict=True):
            logits = (rows @ matrix.t()).float()
            log_sum = logits.logsumexp(dim=1, keepdim=True)
            total += (log_sum - logits.gather(1, wanted[:, None])).sum()
            probabilities = logits.sub_(log_sum).exp_()
            probabilities.scatter_add_(1, wanted[:, None], torch.full_like(log_sum, -1))
            error = probabilities.div_(len(hidden)).to(rows.dtype)
            torch.mm(error, matrix, out=of_rows)
            of_matrix += error.t() @ rows
        ctx.save_for_backward(of_hidden, of_matrix.to(matrix.dtype))
        return total / len(hidden)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of hidden states and matrix."""
        of_hidden, of_matrix = ctx.saved_tensors
        return of_hidden * gradient.to(of_hidden.dtype), of_matrix * gradient.to(of_matrix.dtype), None


class Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.n_heads = shape.attention.n_heads
        self.projections = nn.Linear(shape.d_model, 3 * shape.d_model, bias=False)
        self.out = nn.Linear(shape.d_model, shape.d_model, bias=False)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Mix each sequence (batch × tokens × d) with what came before in it."""
        batch, length, width = x.shape
        heads = self.projections(x).view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        query, key = rotate(heads[:2], *rotation)
        mixed = F.scaled_dot_product_attention(query, key, heads[2], is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


def rotations(length: int, head_dim: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of the rotary embedding, tokens × half a head."""
    angles = torch.arange(length)[:, None] * 10_000.0 ** (-torch.arange(0, head_dim, 2) / head_dim)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn each pair of elements, one from each half of a head, by the angle of its position."""
    left, right = x.chunk(2, dim=-1)
    cosine, sine = cosine.to(x.dtype), sine.to(x.dtype)
    return torch.cat([left * cosine - right * sine, left * sine + right * cosine], dim=-1)


class Dense(nn.Module):
    """A gated feed-forward layer."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.into = nn.Linear(shape.d_model, 2 * shape.d_dense, bias=False)
        self.out = nn.Linear(shape.d_dense, shape.d_model, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Transform tokens × d."""
        return self.out(gated(self.into(x))), None


def gated(x: Tensor) -> Tensor:
    """SwiGLU: one half of the elements, passed on by the other half."""
    gate, value = x.chunk(2, dim=-1)
    return F.silu(gate) * value


class Experts(nn.Module):
    """A gated feed-forward layer of many experts, of which a softmax router picks `top_k` for each token.

    The outputs are weighted by the router's shares, normalised so that the weights of a token add up to
    `top_k`: like a dense layer that is cut into `top_k` pieces.
    """

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.top_k = shape.top_k
        self.router = nn.Linear(shape.d_model, shape.n_routed, bias=False)
        self.into = nn.Parameter(torch.empty(shape.n_routed, shape.d_model, 2 * shape.d_expert))
        self.out = nn.Parameter(torch.empty(shape.n_routed, shape.d_expert, shape.d_model))

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """Transform tokens × d, and say how they were routed."""
        with torch.autocast(x.device.type, enabled=False):
            logits = F.linear(x.float(), self.router.weight)
            shares = logits.softmax(dim=1)
        best, chosen = shares.topk(self.top_k, dim=1)
        gates = self.top_k * best / best.sum(dim=1, keepdim=True)
        counts = chosen.flatten().bincount(minlength=shares.shape[1])
        order = chosen.flatten().argsort(stable=True)
        tokens = order // self.top_k
        rows = working(x).index_select(0, tokens)
        sizes = counts.tolist()
        inner = gated(GroupedLinear.apply(rows, working(self.into), sizes))
        outer = GroupedLinear.apply(inner, working(self.out), sizes)
        weighted = outer * gates.flatten().index_select(0, order)[:, None]
        mixed = weighted.new_zeros(x.shape).index_add(0, tokens, weighted)
        balance = shares.shape[1] * (counts / len(order) * shares.mean(dim=0)).sum()
        return mixed, Routing(counts, balance, logits.logsumexp(dim=1).square().mean())


class Block(nn.Module):
    """Attention and feed-forward, each after a norm and added to the stream."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.before_attention = nn.RMSNorm(shape.d_model)
        self.attention = Attention(shape)
        self.before_feed_forward = nn.RMSNorm(shape.d_model)
        self.feed_forward = Experts(shape) if shape.n_routed else Dense(shape)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> tuple[Tensor, Routing | None]:
        """Transform batch × tokens × d."""
        x = x + self.attention(self.before_attention(x), rotation)
        change, routing = self.feed_forward(self.before_feed_forward(x).flatten(0, 1))
        return x + change.view_as(x), routing


class Transformer(nn.Module):
    """The whole model; input and output embedding are one matrix.

    Parameters
    ----------
    shape : Architecture
        Sizes; either all feed-forward layers are dense or all have experts.
    context : int
        Longest sequence, tokens.
    """

    def __init__(self, shape: Architecture, context: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab, shape.d_model)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layers))
        self.norm = nn.RMSNorm(shape.d_model)
        for name, sheet in zip(("cosine", "sine"), rotations(context, shape.attention.head_dim), strict=True):
            self.register_buffer(name, sheet, persistent=False)
        self._initialise(shape)

    def _initialise(self, shape: Architecture) -> None:
        """Draw weights whose products keep the size of what they multiply; the stream's additions are smaller.

        Rows of the embedding have length 1: logits then begin near 1, and the stream once they are scaled.
        """
        for name, weight in self.named_parameters():
            if weight.dim() == 1:
                continue
            # The width of what is multiplied, in nn.Linear (out × in) and in the experts (groups × in × out) alike.
            scale = 1 / math.sqrt(weight.shape[1])
            if name.endswith(("out", "out.weight")):
                scale /= math.sqrt(2 * shape.n_layers)
            nn.init.normal_(weight, std=scale)

    def forward(self, tokens: Tensor) -> tuple[Tensor, list[Routing]]:
        """Return the hidden states (tokens × d, batch and sequence flattened) and every layer's routing."""
        x = self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim)
        rotation = (self.cosine[: tokens.shape[1]], self.sine[: tokens.shape[1]])
        routings = []
        for block in self.blocks:
            x, routing = block(x, rotation)
            routings.append(routing)
        return self.norm(x).flatten(0, 1), [routing for routing in routings if routing]

    def loss(self, tokens: Tensor, targets: Tensor) -> tuple[Tensor, list[Routing]]:
        """Return the mean cross-entropy in nats per token, and every layer's routing."""
        hidden, routings = self(tokens)
        return CrossEntropy.apply(working(hidden), working(self.embedding.weight), targets.flatten()), routings

    @torch.no_grad()
    def losses(self, tokens: Tensor, targets: Tensor) -> tuple[Tensor, list[Routing]]:
        """Return the cross-entropy of every token, in the shape of the targets, and every layer's routing."""
        hidden, routings = self(tokens)
        matrix = working(self.embedding.weight)
        pairs = zip(working(hidden).split(ROWS), targets.flatten().split(ROWS), strict=True)
        losses = [F.cross_entropy((rows @ matrix.t()).float(), wanted, reduction="none") for rows, wanted in pairs]
        return torch.cat(losses).view_as(targets), routings
