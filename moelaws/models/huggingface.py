"""A model's ``config.json``, as Hugging Face stores it beside the weights: what the model costs.

What a configuration does not say, or what is not counted, is said in notes.
"""

import html
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moelaws.errors import InputError
from moelaws.models import families, keys
from moelaws.models.architecture import Architecture
from moelaws.models.keys import Keys
from moelaws.models.storage import BYTES, Format, quantised, weight_bytes

UNITS = {
    "n_total": "parameters, all",
    "n_active": "parameters used for one token, less the input embedding",
    "n_embedding": "parameters of the input embedding",
    "flops_per_token_forward": "FLOP",
    "flops_per_token_training": "FLOP, three times the forward work",
    "weight_bytes": "bytes of all weights",
    "kv_bytes_per_token": "bytes of keys and values that one token adds to the cache",
    "state_bytes": "bytes of the states of one sequence, which do not grow",
    "kv_cache_bytes": "bytes of cache and states of one sequence",
}
"""What a report holds, and in which unit."""


@dataclass(frozen=True)
class Checkpoint:
    """What a configuration describes; printed, it is a report.

    Parameters
    ----------
    family : str
        Its ``model_type``.
    dtype, cache_dtype : str
        The type of the weights that are not quantised and that of the cache, each one of :data:`BYTES`.
    form : Format, optional
        How the weights are quantised.
    notes : tuple of str
        Sentences on what was assumed and what is not counted.
    seq_len, causal, kv_len : int, bool, int
        Tokens of the sequence whose scores are counted, whether only those with earlier tokens are, and
        tokens of the sequence whose cache is.
    index : dict
        What the index of the weights beside the file states: total_size (bytes), total_parameters.
    """

    family: str
    architecture: Architecture
    dtype: str
    cache_dtype: str
    form: Format | None
    notes: tuple[str, ...]
    seq_len: int = 4096
    causal: bool = False
    kv_len: int = 4096
    index: dict[str, int] = field(default_factory=dict)

    @property
    def n_total(self) -> int:
        """Every parameter."""
        return self.architecture.n_total

    @property
    def n_active(self) -> int:
        """Parameters used for one token, less the input embedding."""
        return self.architecture.n_active

    @property
    def n_embedding(self) -> int:
        """Parameters of the input embedding."""
        return self.architecture.n_embedding

    @property
    def flops_per_token_forward(self) -> int:
        """FLOP of one token in a sequence, with scores, output layer and routers."""
        return self.architecture.forward_flops(self.seq_len, causal=self.causal)

    @property
    def flops_per_token_training(self) -> int:
        """Three times the forward work."""
        return 3 * self.flops_per_token_forward

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights as they are stored."""
        return round(weight_bytes(self.architecture, self.dtype, self.form))

    @property
    def kv_bytes_per_token(self) -> float:
        """Bytes of keys and values that one token adds to the cache."""
        return self.architecture.kv_bytes_per_token(BYTES[self.cache_dtype])

    @property
    def state_bytes(self) -> float:
        """Bytes of the states of one sequence, which do not grow."""
        return self.architecture.state_bytes(BYTES[self.cache_dtype])

    @property
    def kv_cache_bytes(self) -> float:
        """Bytes of cache and states of one sequence of `kv_len` tokens."""
        return self.architecture.kv_cache_bytes(self.kv_len, BYTES[self.cache_dtype])

    def report(self) -> dict[str, Any]:
        """Return all counts of :data:`UNITS`, and model_type, dtype, quantisation, seq_len, kv_len, index and notes."""
        scores = "scores with earlier tokens only" if self.causal else "scores with all tokens of the sequence"
        counted = f"FLOP are those of a token in a sequence of {self.seq_len}, with {scores}, output layer and routers."
        return {
            "model_type": self.family,
            **{name: getattr(self, name) for name in UNITS},
            "dtype": self.dtype,
            "quantisation": self.form.name if self.form else None,
            "seq_len": self.seq_len,
            "kv_len": self.kv_len,
            "index": self.index,
            "notes": [counted, *self.notes, *self._against_index()],
        }

    def _against_index(self) -> list[str]:
        """Return what the index of the weights says to the counts."""
        sentences = []
        for name, counted, unit in (
            ("total_size", self.weight_bytes, "bytes"),
            ("total_parameters", self.n_total, "parameters"),
        ):
            if name in self.index:
                stated = self.index[name]
                off = f"{abs(stated - counted):,} {'more' if stated > counted else 'fewer'} than counted"
                says = "as counted" if stated == counted else f"{off} ({100 * (stated / counted - 1):+.2g} %)"
                sentences.append(f"The index of the weights states {stated:,} {unit}, {says}.")
        return sentences

    def __str__(self) -> str:
        """Return the report, a line for each count and each note."""
        report = self.report()
        lines = [f"{name} = {report[name]:,}  ({unit})" for name, unit in UNITS.items()]
        return "\n".join([*lines, *(f"Note: {note}" for note in report["notes"])])

    def _repr_html_(self) -> str:
        """Return the report as a table, as notebooks show it."""
        report = self.report()
        rows = "".join(
            f"<tr><th>{name}</th><td>{report[name]:,}</td><td>{unit}</td></tr>" for name, unit in UNITS.items()
        )
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in report["notes"])
        return f"<table>{rows}</table><ul>{notes}</ul>"


def model(
    path: str | Path, *, seq_len: int = 4096, causal: bool = False, kv_len: int | None = None, dtype: str | None = None
) -> Checkpoint:
    """Read a ``config.json``, or the folder that holds one.

    Files beside it are read too: ``hf_quant_config.json``, and the index of the weights, whose sizes are
    held against the counts.

    Parameters
    ----------
    seq_len, causal, kv_len
        See :class:`Checkpoint`; the cache is by default that of `seq_len` tokens.
    dtype : str, optional
        Type of :data:`BYTES` that all weights and the cache are taken to have, whatever the file says.

    Examples
    --------
    >>> from moelaws.paths import ROOT
    >>> model(ROOT / "data" / "model_configs" / "mixtral-8x7b.json").n_total
    46702792704
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", str(path)):
        raise InputError(f"{path} is an address, which is not opened; a file or a folder is expected.")
    place = Path(path)
    try:
        folder = place.is_dir()
        if folder and not (place / "config.json").exists():
            raise InputError(f"{place} has no config.json; a model's folder, or the file itself, is expected.")
    except OSError as error:
        raise InputError(f"{place} cannot be read ({error.strerror}); a JSON file is expected.") from None
    found = keys.read(place / "config.json" if folder else place)
    beside = {}
    if folder or place.name == "config.json":
        for name in ("hf_quant_config.json", "model.safetensors.index.json"):
            other = (place if folder else place.parent) / name
            if other.exists():
                beside[name] = keys.read(other, 2**29)
    return parse(found, beside, seq_len=seq_len, causal=causal, kv_len=kv_len, dtype=dtype)


def parse(
    found: Keys,
    beside: dict[str, Keys] | None = None,
    *,
    seq_len: int = 4096,
    causal: bool = False,
    kv_len: int | None = None,
    dtype: str | None = None,
) -> Checkpoint:
    """Return what a configuration describes that is read already, with files `beside` it; see :func:`read`."""
    for name, tokens in (("seq_len", seq_len), ("kv_len", seq_len if kv_len is None else kv_len)):
        if tokens < 1:
            raise InputError(f"Parameter {name} has the value {tokens}; at least one token is expected.")
    if dtype is not None and dtype not in BYTES:
        raise InputError(f"Parameter dtype has the value {dtype!r}; one of {', '.join(BYTES)} is expected.")
    beside = beside or {}
    text = _text(found)
    architecture = families.architecture(text)
    stated = _dtype(text)
    form = quantised(text, beside.get("hf_quant_config.json"))
    cache = _cache(stated, beside.get("hf_quant_config.json"), found.notes)
    if dtype is not None:
        found.notes.append(f"All weights and the cache are taken as {dtype}, whatever the file says.")
        stated, cache, form = dtype, dtype, None
    if text.size_or(0, "num_nextn_predict_layers", "num_mtp_modules", "mtp_num_hidden_layers"):
        found.notes.append("Layers that only predict further tokens (multi-token prediction) are not counted.")
    windowed = [(count, window) for count, _, window in architecture.mixers if count and window]
    for count, window in windowed:
        found.notes.append(
            f"{count} of {architecture.n_layers} layers attend to {window} tokens; kv_bytes_per_token is what one new "
            "token writes, in these layers as in the others."
        )
    if text.get("attention_chunk_size") and windowed:
        found.notes.append("Attention in chunks is counted as a sliding window of a chunk's length.")
    if architecture.state_bytes():
        found.notes.append("Work on states is that of one token after another; kernels that take chunks do more.")
    _sparse(text)
    _structural(found)
    index = _index(beside.get("model.safetensors.index.json"), architecture.n_layers, found.notes)
    family, length = str(text.values["model_type"]), seq_len if kv_len is None else kv_len
    return Checkpoint(family, architecture, stated, cache, form, tuple(found.notes), seq_len, causal, length, index)


_TEXT = ("text_config", "llm_config", "language_config")
_SHARED = ("tie_word_embeddings", "dtype", "torch_dtype", "quantization_config", "quantization")


def _text(found: Keys) -> Keys:
    """Return the object that describes the text decoder: the file's own, or the one within a wrapper."""
    name = next((name for name in _TEXT if name in found.values), None)
    if name is None:
        if found.get("vision_config") or found.get("audio_config"):
            found.notes.append("What reads images or sound is not counted.")
        return found
    families.refuse(found, found.get("model_type"))
    for one in found.items("architectures", str) or []:
        if not one.endswith(("ForConditionalGeneration", "ForCausalLM")):
            raise found.wrong("architectures", "a class that writes text")
    text = found.inside(name, {key: found.get(key) for key in _SHARED if found.has(key)})
    wrapper = str(found.get("model_type"))[:40]
    found.notes.append(
        f"Only the text decoder ('{name}') of {wrapper} is counted; vision, and what else is no text, is left out."
    )
    return text


def _dtype(text: Keys) -> str:
    name = "dtype" if text.has("dtype") else "torch_dtype"
    if not text.has(name):
        text.notes.append("The type of the weights is not given; bfloat16 is assumed.")
        return "bfloat16"
    if text.text(name, "one of " + ", ".join(BYTES)) not in BYTES:
        raise text.wrong(name, "one of " + ", ".join(BYTES))
    return str(text.values[name])


def _cache(dtype: str, beside: Keys | None, notes: list[str]) -> str:
    """Return the type of the cache: that of the weights, or fp8 where a file beside them says so."""
    if beside and beside.get("quantization") and beside.inside("quantization").get("kv_cache_quant_algo") == "FP8":
        notes.append("The cache is stored as fp8.")
        return "float8_e4m3fn"
    return dtype


def _index(index: Keys | None, n_layers: int, notes: list[str]) -> dict[str, int]:
    """Return the sizes that an index of weights states, and note layers that are in it and not in the counts."""
    if index is None:
        return {}
    stated = index.inside("metadata")
    found = {name: stated.size(name, most=10**15) for name in ("total_size", "total_parameters") if stated.has(name)}
    listed = index.get("weight_map")
    numbers = (
        [int(m[1]) for name in listed or {} if (m := re.search(r"layers\.(\d{1,6})\.", name))]
        if isinstance(listed, dict)
        else []
    )
    if numbers and max(numbers) >= n_layers:
        notes.append(f"The index of the weights has layers {n_layers} to {max(numbers)}, which are not counted.")
    return found


_SPARSE = re.compile(r"moba|nsa_|sparse_attention|sparse_config|index_|block_sparse|lightning_index|attn_topk")


def _sparse(text: Keys) -> None:
    """Note keys of sparse attention, by which less work is done than is counted."""
    found = [name for name in text.values if _SPARSE.search(name) and name not in text.seen and text.values[name]]
    if found:
        text.seen.update(found)
        names = ", ".join(f"'{name[:40]}'" for name in sorted(found)[:8])
        text.notes.append(f"Keys of sparse attention are there ({names}); work is counted as that of full attention.")


STRUCTURAL = re.compile(
    r"share|layer|pattern|period|window|expert|moe|freq(?!uency)|interval|every|skip|loop|recur|latent|lora|_rank$|gate|gating"
    r"|_bias$|_dims?$|_size$|_heads$|head_dim|conv|ssm|mamba|linear|altup|vocab|tie_|tied|norm(?!_eps|alize|_topk)|factor|mlp|ffn"
)
"""Names of keys that look as if they changed what a model holds."""
HARMLESS = re.compile(
    r"eps(ilon)?$|aux_loss|router_logits|initializer|dropout|chunk_size|image|vision|video|audio|pad|token_id|feature_layer"
    r"|norm_topk|topk_prob|topk_group|topk_method|route_scale|scaling_factor|capacity|jitter|z_loss|load_balanc|group_score"
    r"|rope|rotary|max_position|logit_scale|softcap|mup|cross_attention|_layerdrop|prune|kernels|use_cache|pretraining_tp"
    r"|residual_multiplier|ep_size|batch_size|block_size_hint|norm_head$|moe_renormalize|num_expert_group|n_group|time_step"
    r"|mtp|nextn|ngram|tie_encoder|_scale$|scoring|logits_to_keep|act$|act_fn|dt_(min|max|rank)|attention_value_scale|token_drop|fp32|beam|feed_forward$|^ssm_cache"
    r"|^(alpha|beta)|_alpha_factor|_beta_factor|output_hidden|head_dim_scale|correction_bias$|bos|cache_dtype|router_dtype"
)


def _structural(found: Keys) -> None:
    """Note keys that look structural and were not read, unless they are null or false."""
    unread = [
        name
        for name, value in found.values.items()
        if name not in found.seen and value is not None and value is not False
        if STRUCTURAL.search(name.lower()) and not HARMLESS.search(name.lower())
    ]
    if unread:
        names = ", ".join(f"'{found.within}{name[:60]}'" for name in sorted(unread)[:12])
        found.notes.append(f"Keys that look structural are not known, and the counts do not regard them: {names}.")
    for inner in found.inner:
        if "quant" not in inner.within:
            _structural(inner)
