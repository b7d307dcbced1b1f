"""A model's ``config.json``, as Hugging Face stores it beside the weights: what the model costs.

What a configuration does not say, or what is not counted, is said in notes.
"""

from dataclasses import dataclass
from typing import Any

from moelaws.models import families as hf_families
from moelaws.models import keys as json_keys
from moelaws.models.architecture import Architecture
from moelaws.models.keys import Keys

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
"""Bytes of a number, by the name of its type."""


@dataclass(frozen=True)
class Checkpoint:
    """What a configuration describes.

    Parameters
    ----------
    family : str
        Its ``model_type``.
    architecture : Architecture
        Its sizes.
    dtype : str
        The type of its weights, one of :data:`BYTES`; the cache is taken to have the same.
    notes : tuple of str
        Sentences on what was assumed and what is not counted.
    """

    family: str
    architecture: Architecture
    dtype: str
    notes: tuple[str, ...]

    def report(self, seq_len: int, *, causal: bool = False) -> dict[str, Any]:
        """Return all counts as plain numbers.

        Parameters
        ----------
        seq_len : int
            Tokens of the sequence whose attention scores are counted.
        causal : bool
            Whether scores with later tokens are left out.

        Returns
        -------
        dict
            n_total, n_active, n_embedding (parameters); flops_per_token_forward and
            flops_per_token_training (FLOP); weight_bytes and kv_bytes_per_token (bytes); and model_type,
            dtype, seq_len and notes.

        Raises
        ------
        InputError
            If `seq_len` is not positive.
        """
        model, width = self.architecture, BYTES[self.dtype]
        scores = "scores with earlier tokens only" if causal else "scores with all tokens of the sequence"
        counted = f"FLOP are those of a token in a sequence of {seq_len}, with {scores}, output layer and routers."
        return {
            "model_type": self.family,
            "n_total": model.n_total,
            "n_active": model.n_active,
            "n_embedding": model.n_embedding,
            "flops_per_token_forward": model.forward_flops(seq_len, causal=causal),
            "flops_per_token_training": model.training_flops(seq_len, causal=causal),
            "weight_bytes": model.weight_bytes(width),
            "kv_bytes_per_token": model.kv_bytes_per_token(width),
            "dtype": self.dtype,
            "seq_len": seq_len,
            "notes": [counted, *self.notes],
        }


def read(path: str) -> Checkpoint:
    """Read a ``config.json``.

    Raises
    ------
    InputError
        If the file cannot be read, its family is not known, or a key is missing or has a value that
        cannot be. The message names the file and the key.

    Examples
    --------
    >>> from moelaws.paths import ROOT
    >>> mixtral = read(str(ROOT / "tests" / "configs" / "mixtral-8x7b.json"))
    >>> mixtral.report(4096)["n_total"]
    46702792704
    """
    return parse(json_keys.read(path))


def parse(keys: Keys) -> Checkpoint:
    """Return what a configuration describes that is read already; see :func:`read`."""
    architecture = hf_families.architecture(keys)
    dtype = _dtype(keys)
    if keys.values.get("quantization_config"):
        keys.notes.append(f"The weights are stored quantised, and take less than the bytes given here for {dtype}.")
    if keys.size_or(0, "num_nextn_predict_layers"):
        keys.notes.append("Layers that only predict further tokens (multi-token prediction) are not counted.")
    if architecture.n_window_layers:
        keys.notes.append(
            f"{architecture.n_window_layers} of {architecture.n_layers} layers attend to {architecture.window} tokens; "
            "kv_bytes_per_token is what one new token writes, in these layers as in the others."
        )
    return Checkpoint(str(keys.values["model_type"]), architecture, dtype, tuple(keys.notes))


def _dtype(keys: Keys) -> str:
    name = "dtype" if keys.values.get("dtype") is not None else "torch_dtype"
    if keys.values.get(name) is None:
        keys.notes.append("The type of the weights is not given; bfloat16 is assumed.")
        return "bfloat16"
    dtype = keys.text(name, "one of " + ", ".join(BYTES))
    if dtype not in BYTES:
        raise keys.wrong(name, "one of " + ", ".join(BYTES))
    return dtype
