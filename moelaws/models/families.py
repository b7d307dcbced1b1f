"""What the keys of a Hugging Face ``config.json`` mean, family by family.

A family is one ``model_type`` with the class that its plain causal language model has. Which matrices,
biases and norms it has follows from its published code, in the library transformers or beside its weights;
its keys give the sizes. A size that is missing is refused, as the library's stand-ins for it are the sizes
of one certain model.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from moelaws.errors import InputError
from moelaws.models import layers, recurrent
from moelaws.models.architecture import Architecture, Tensor
from moelaws.models.attention import GroupedAttention, LatentAttention, Mixer
from moelaws.models.keys import Keys

Flag = bool | str
"""A truth, or the key that has it; ``key=true`` for one that is true where it is missing."""


def _flag(keys: Keys, flag: Flag) -> bool:
    name, _, default = str(flag).partition("=")
    return flag if isinstance(flag, bool) else keys.flag(name, default == "true")


def d_model_of(keys: Keys) -> int:
    """Return the hidden size."""
    return keys.size("hidden_size", "d_model")


@dataclass(frozen=True)
class Heads:
    """How a family names and builds the heads of its attention; see :class:`GroupedAttention`."""

    bias: Flag = False
    output_bias: Flag | None = None
    norm: Literal["none", "head", "all"] = "none"
    norm_if: Flag = True
    own_dim: bool = False
    sinks: Flag = False
    prefix: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def __call__(self, keys: Keys) -> GroupedAttention:
        """Read the heads; a size under `prefix` stands above the one without."""
        names = {name: self._name(keys, name) for name in ("num_attention_heads", "num_key_value_heads", "head_dim")}
        heads_key, kv, kv_key = names["num_attention_heads"], keys, names["num_key_value_heads"]
        if "n_heads" in keys.values:
            heads_key, kv, kv_key = "n_heads", keys.inside("attn_config"), "kv_n_heads"
        n_heads = keys.size(heads_key)
        null_or_old = not kv.has(kv_key) and (kv_key in kv.values or keys.values.get("model_type") == "llama")
        n_kv_heads = n_heads if null_or_old else kv.size(kv_key)
        if n_heads % n_kv_heads:
            raise kv.wrong(kv_key, f"a divisor of the {n_heads} heads of '{heads_key}'")
        if self.own_dim or keys.has(names["head_dim"]):
            head_dim = keys.size(names["head_dim"])
        else:
            head_dim, rest = divmod(d_model_of(keys), n_heads)
            if rest or not head_dim:
                raise keys.wrong(heads_key, f"a divisor of the hidden size {d_model_of(keys)}, or a key 'head_dim',")
        v_dim = keys.size_or(0, self._name(keys, "v_head_dim")) if self.own_dim else 0
        bias, norm = _flag(keys, self.bias), self.norm if self.norm != "none" and _flag(keys, self.norm_if) else "none"
        back = bias if self.output_bias is None else _flag(keys, self.output_bias)
        sinks = _flag(keys, self.sinks)
        return GroupedAttention(n_heads, n_kv_heads, head_dim, bias, back, norm, sinks, v_dim, **self.details)

    def _name(self, keys: Keys, name: str) -> str:
        if self.prefix and keys.has(f"{self.prefix}{name}"):
            keys.seen.add(name)
            return f"{self.prefix}{name}"
        return name


def latent(keys: Keys) -> LatentAttention:
    """Read multi-head latent attention as DeepSeek names it."""
    keys.seen.update({"num_key_value_heads", "head_dim", "qk_head_dim"})
    return LatentAttention(
        n_heads=keys.size("num_attention_heads"),
        kv_rank=keys.size("kv_lora_rank"),
        q_rank=keys.size_or_null("q_lora_rank"),
        rope_dim=keys.size("qk_rope_head_dim"),
        nope_dim=keys.size("qk_nope_head_dim"),
        v_dim=keys.size("v_head_dim"),
        bias=keys.flag("attention_bias", False),
    )


def indexed(keys: Keys) -> LatentAttention:
    """Read latent attention to tokens that an indexer chooses (DeepSeek-V3.2)."""
    shared = [*(keys.get(name) or [] for name in ("index_topk_pattern", "indexer_types"))]
    if keys.get("index_topk_freq") not in (None, 1) or any(set(map(str, one)) - {"F", "full"} for one in shared):
        raise InputError(
            f"{keys.place} shares an indexer between layers, which is not counted; one in each is expected."
        )
    heads, dim, reach = (keys.size(name) for name in ("index_n_heads", "index_head_dim", "index_topk"))
    keys.notes.append(
        f"A token attends to the {reach} tokens that an indexer chooses; work counts these, and the indexer's scores."
    )
    return replace(latent(keys), index_heads=heads, index_dim=dim, index_reach=reach)


def factorised(keys: Keys) -> GroupedAttention:
    """Read Step-3's attention: one key-value head, and queries made from a narrow vector."""
    heads, dim = keys.size("num_attention_heads"), keys.size("head_dim")
    return GroupedAttention(
        heads, keys.size_or(1, "num_attention_groups", least=1), dim, q_rank=keys.size("share_q_dim")
    )


def _gated_delta(keys: Keys) -> Mixer:
    names = ("num_key_heads", "num_value_heads", "key_head_dim", "value_head_dim", "conv_kernel_dim")
    return recurrent.gated_delta(d_model_of(keys), *(keys.size(f"linear_{name}") for name in names))


def _kimi_delta(keys: Keys) -> Mixer:
    if keys.has("linear_attn_config"):
        linear = keys.inside("linear_attn_config")
        if linear.get("use_full_rank_gate"):
            raise linear.wrong("use_full_rank_gate", "nothing, as what it changes is not counted,")
        heads, dim, kernel = (linear.size(name) for name in ("num_heads", "head_dim", "short_conv_kernel_size"))
    else:
        heads, dim, kernel = (keys.size(f"linear_{name}") for name in ("num_heads", "head_dim", "conv_kernel_dim"))
    return recurrent.kimi_delta(d_model_of(keys), heads, dim, kernel)


def _lightning(keys: Keys) -> Mixer:
    return recurrent.lightning(d_model_of(keys), keys.size("num_attention_heads"), keys.size("head_dim"))


def _jamba(keys: Keys) -> Mixer:
    d, auto = d_model_of(keys), keys.get("mamba_dt_rank") == "auto"
    expand, state, kernel = (keys.size(f"mamba_{name}") for name in ("expand", "d_state", "d_conv"))
    rank = -(-d // 16) if auto else keys.size("mamba_dt_rank")
    biases = {"conv_bias": keys.flag("mamba_conv_bias", True), "bias": keys.flag("mamba_proj_bias", False)}
    return recurrent.mamba(d, expand, state, kernel, rank, **biases)


def _mamba2(names: str, conv_bias: str) -> Callable[[Keys], Mixer]:
    def read(keys: Keys) -> Mixer:
        heads, dim, groups, state, kernel = (keys.size(*name.split("|")) for name in names.split())
        keys.seen.update({"mamba_expand", "expand", "mamba_chunk_size", "chunk_size"})
        biases = keys.flag(conv_bias, True), keys.flag("mamba_proj_bias", False)
        return recurrent.mamba2(d_model_of(keys), heads, dim, groups, state, kernel, *biases)

    return read


def _short_convolution(keys: Keys) -> Mixer:
    return recurrent.short_convolution(d_model_of(keys), keys.size("conv_L_cache"), keys.flag("conv_bias", False))


@dataclass(frozen=True)
class Family:
    """How the configurations of one ``model_type`` are read.

    Parameters
    ----------
    classes : str
        Names of the class of its plain causal language model, without ``ForCausalLM``.
    attention, other, local : callable
        Read the attention, what some layers have in its place, and the attention of layers with a
        window where it is another one.
    pattern, window : callable, str
        What stands in which layer, and the key of a window's length.
    experts : str
        Keys of width and number of experts, and of how many are active; empty for none.
    shared : str
        Keys of the number and of the width of shared experts, with ``*`` for the width of all together.
    places, dense : callable, str
        Which layers have experts, and the key of a dense feed-forward's width.
    tied : bool
        Whether the embeddings are one matrix where a file does not say it.
    known, foreign : str
        Keys that change nothing that is counted, and keys whose presence changes what is not known here.
    parts : dict
        Further arguments of an :class:`Architecture`, of which texts name keys of truths.
    """

    classes: str
    attention: Callable[[Keys], GroupedAttention | LatentAttention] = Heads()
    other: Callable[[Keys], Mixer] | None = None
    local: Callable[[Keys], Mixer] | None = None
    pattern: layers.Pattern = layers.full
    window: str = "sliding_window"
    experts: str = ""
    shared: str = ""
    places: Callable[[Keys], list[int]] = layers.all_layers
    dense: str = "intermediate_size"
    tied: bool = False
    known: str = ""
    foreign: str = ""
    parts: dict[str, Any] = field(default_factory=dict)

    def read(self, keys: Keys) -> Architecture:
        """Return the architecture that a configuration of this family describes."""
        n_layers = layers.n_layers_of(keys)
        keys.seen.update(self.known.split())
        for name in self.foreign.split():
            if keys.get(name) not in (None, False):
                raise keys.wrong(name, "nothing, as what it changes is not counted,")
        parts: dict[str, Any] = {
            name: _flag(keys, part) if isinstance(part, str) else part for name, part in self.parts.items()
        }
        alone = self.pattern is layers.nemotron
        kinds = None if alone else layers.listed(keys, "layer_types")
        keys.seen.update(layers.PATTERNS if kinds is not None else ())
        kinds = self.pattern(keys) if kinds is None else kinds
        parts |= self._mixers(keys, kinds) | self._feed_forward(keys, kinds if alone else None)
        return Architecture(
            n_layers=n_layers,
            d_model=d_model_of(keys),
            vocab=keys.size("vocab_size"),
            tied=keys.flag("tie_word_embeddings", self.tied),
            **parts,
        )

    def _mixers(self, keys: Keys, kinds: layers.Kinds) -> dict[str, Any]:
        attention, count = self.attention(keys), Counter(kinds)
        others: list[tuple[int, Mixer | None, int]] = []
        parts: dict[str, Any] = {"attention": attention}
        if count.get("window") and self.pattern is layers.full:
            raise keys.wrong("layer_types", "full_attention for each layer of this family")
        window = keys.size_or(0, self.window) if self.pattern is not layers.full else 0
        if count.get("window") and self.local:
            others.append((count["window"], self.local(keys), keys.size(self.window)))
        elif count.get("window") and window:
            parts |= {"n_window_layers": count["window"], "window": window}
        if count.get("other"):
            if not self.other:
                raise keys.wrong("layer_types", "attention for each layer of this family")
            others.append((count["other"], self.other(keys), 0))
        bare = count.get("moe", 0) + count.get("dense", 0)
        return parts | {"others": (*others, *(((bare, None, 0),) if bare else ()))}

    def _feed_forward(self, keys: Keys, alone: layers.Kinds | None) -> dict[str, Any]:
        n_layers = layers.n_layers_of(keys)
        if not self.experts:
            n_dense = n_layers if alone is None else alone.count("dense")
            d_dense = keys.size(self.dense) if n_dense else 0
            return {"d_dense": d_dense, "n_dense_layers": n_layers, "n_without_ff": n_layers - n_dense}
        width, number, top = self.experts.split()
        within = keys.inside("ffn_config") if width == "ffn_hidden_size" else keys
        counts = [number, *(name for name in _COUNTS if name != number and name in within.values)]
        n_routed = within.size_or_null(*counts)
        keys.seen.update({width, top, self.dense, *self.shared.replace("*", "").split()})
        if alone is not None:
            moe = layers.where(kind == "moe" for kind in alone)
        elif n_routed:
            types = layers.listed(keys, "mlp_layer_types", {"dense": "", "sparse": "moe"})
            moe = self.places(keys) if types is None else layers.where(types)
        else:
            keys.seen.update(layers.PLACES)
            moe = []
        n_dense = n_layers - len(moe) if alone is None else alone.count("dense")
        beside = bool(self.parts.get("dense_beside_experts"))
        sizes: dict[str, Any] = {
            "d_dense": keys.size(self.dense) if n_dense or beside else 0,
            "n_dense_layers": 0 if moe else n_layers,
            "moe_layers": tuple(moe),
            "n_without_ff": n_layers - len(moe) - n_dense,
        }
        if not moe:
            keys.notes.append("No layer has experts; the model is dense.")
            return sizes
        tops = [top, *(name for name in _TOPS if name != top and name in within.values)]
        n_routed, top_k = within.size(*counts), within.size(*tops)
        if top_k > n_routed:
            raise within.wrong(next(name for name in tops if name in within.values), _at_most(n_routed))
        sizes |= {"d_expert": within.size(width), "n_routed": n_routed, "top_k": top_k}
        return sizes | self._shared(keys, sizes["d_expert"])

    def _shared(self, keys: Keys, d_expert: int) -> dict[str, Any]:
        if not self.shared:
            return {}
        number, _, width = self.shared.partition(" ")
        n_shared = int(number) if number.isdecimal() else keys.size_or_null(number) if number else 1
        if width.startswith("*"):
            d_shared = keys.size_or(0, width[1:])
            return {"n_shared": int(d_shared > 0), "d_shared": d_shared}
        return {"n_shared": n_shared, "d_shared": n_shared * (keys.size_or(d_expert, width) if width else d_expert)}


_COUNTS = ("n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts")
_TOPS = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k")


def _at_most(n_routed: int) -> str:
    return f"at most the number of experts, {n_routed},"


def _gemma4(family: Family, keys: Keys) -> Architecture:
    """Gemma 4: layers with full attention have wider heads, and experts stand beside a dense feed-forward."""
    for name in ("hidden_size_per_layer_input", "num_kv_shared_layers"):
        if keys.size_or_null(name):
            raise keys.wrong(name, "0, as embeddings for each layer and shared caches are not counted,")
    if keys.has("per_layer_config"):
        raise keys.wrong("per_layer_config", "nothing, as other sizes for some layers are not counted,")
    keys.seen.update({"vocab_size_per_layer_input", "use_double_wide_mlp"})
    moe = keys.has("enable_moe_block") and keys.flag("enable_moe_block", False)
    wide = {"values_are_keys": True} if keys.flag("attention_k_eq_v", False) else {}
    prefixed = {
        **keys.values,
        "global_num_attention_heads": keys.get("num_attention_heads"),
        "global_num_key_value_heads": keys.get("num_global_key_value_heads") if wide else None,
        "global_head_dim": keys.values.get("global_head_dim", 512),
    }
    types = keys.items("layer_types", str)
    if types and types[-1] == "sliding_attention":
        keys.notes.append("The last layer is to have a window; the family's code gives it full attention.")
        prefixed["layer_types"] = [*types[:-1], "full_attention"]
    n_layers, d = layers.n_layers_of(keys), d_model_of(keys)
    keys.seen.update({"num_global_key_value_heads", "global_head_dim"})
    inner = Keys(prefixed, keys.place, keys.within, keys.notes, keys.seen)
    heads = Heads("attention_bias", norm="head", own_dim=True, prefix="global_", details=wide)
    extra: tuple[Tensor, ...] = (Tensor("norm", (1,), n_layers, n_layers),)
    extra += (Tensor("router", (d,), n_layers, n_layers),) * moe
    family = replace(family, attention=heads, experts=family.experts if moe else "")
    parts = {"norms_per_layer": 7 if moe else 4, "dense_beside_experts": moe}
    family = replace(family, parts={**parts, "router_bias": moe, "extra": extra})
    return family.read(inner)


QWEN = "moe_intermediate_size num_experts num_experts_per_tok"
DEEPSEEK = "moe_intermediate_size n_routed_experts num_experts_per_tok"
MIXTRAL = "intermediate_size num_local_experts num_experts_per_tok"
_ATTENTION = Heads("attention_bias")
_HEAD_NORM = Heads("attention_bias", norm="head", own_dim=True)
_QWEN_NEXT = Heads("attention_bias", norm="head", own_dim=True, details={"gate": "query"})
_GEMMA: dict[str, Any] = {"attention": Heads("attention_bias", own_dim=True), "tied": True}
_MAMBA2 = _mamba2("mamba_n_heads mamba_d_head mamba_n_groups mamba_d_state mamba_d_conv", "mamba_conv_bias")
_NEMOTRON = "mamba_num_heads mamba_head_dim n_groups|mamba_n_groups ssm_state_size conv_kernel|mamba_d_conv"

_deepseek = Family(
    "DeepseekV3",
    latent,
    experts=DEEPSEEK,
    shared="n_shared_experts",
    places=layers.leading,
    parts={"router_bias": True},
)
_glm4_moe = Family(
    "Glm4Moe",
    Heads("attention_bias", False, "head", "use_qk_norm"),
    experts=DEEPSEEK,
    shared="n_shared_experts",
    places=layers.leading,
    parts={"router_bias": True},
)
_gemma2 = Family("Gemma2", **_GEMMA, pattern=layers.alternating, parts={"norms_per_layer": 4})
_gemma3_period = layers.period(6, "sliding_window_pattern", "_sliding_window_pattern")
_granitemoe = Family("GraniteMoe", _ATTENTION, experts=MIXTRAL)
_granitemoeshared = replace(_granitemoe, classes="GraniteMoeShared", shared=" *shared_intermediate_size")
_qwen2_moe = Family(
    "Qwen2Moe",
    Heads("qkv_bias=true", False),
    pattern=layers.switched,
    experts=QWEN,
    shared="1 shared_expert_intermediate_size",
    places=layers.sparse,
    parts={"shared_gate": True},
)
_qwen3_moe = Family(
    "Qwen3Moe", Heads("attention_bias", norm="head"), pattern=layers.switched, experts=QWEN, places=layers.sparse
)
_qwen3_next = replace(
    _qwen2_moe,
    classes="Qwen3Next",
    attention=_QWEN_NEXT,
    other=_gated_delta,
    pattern=layers.period(4, "full_attention_interval", kind="other"),
)
_bailing = Family(
    "BailingMoe",
    Heads("use_qkv_bias", "use_bias", "head", "use_qk_norm"),
    experts=QWEN,
    shared="num_shared_experts moe_shared_expert_intermediate_size",
    places=layers.leading,
    parts={"ff_bias": "use_bias", "router_bias": "moe_router_enable_expert_bias"},
)
_bailing_v2 = replace(
    _bailing,
    classes="BailingMoeV2",
    attention=Heads("use_qkv_bias", "use_bias", "head", "use_qk_norm=true"),
    parts=_bailing.parts | {"router_bias": "moe_router_enable_expert_bias=true"},
)
_ernie = Family("Ernie4_5", Heads("use_bias"), tied=True, parts={"ff_bias": "use_bias"})
_olmo2 = Family("Olmo2", Heads("attention_bias", norm="all"))
_llama = Family("Llama", _ATTENTION, parts={"ff_bias": "mlp_bias"})
_dots1 = replace(_glm4_moe, classes="Dots1", attention=Heads("attention_bias", norm="head"), pattern=layers.switched)

_mimo = Family(
    "MiMoV2Flash",
    Heads("attention_bias", False, own_dim=True, sinks="add_full_attention_sink_bias"),
    local=Heads("attention_bias", False, own_dim=True, sinks="add_swa_attention_sink_bias=true", prefix="swa_"),
    pattern=layers.mimo,
    experts=DEEPSEEK,
    shared="n_shared_experts",
    places=layers.leading,
    known="attention_projection_layout attention_chunk_size sliding_window_size",
    parts={"router_bias": True},
)

FAMILIES: dict[str, Family] = {
    "afmoe": Family(
        "Afmoe",
        replace(_HEAD_NORM, details={"gate": "apart"}),
        pattern=layers.period(4, "global_attn_every_n_layers"),
        experts=QWEN,
        shared="num_shared_experts",
        places=layers.leading,
        parts={"router_bias": True, "norms_per_layer": 4},
    ),
    "arcee": Family("Arcee", _ATTENTION, parts={"ff_bias": "mlp_bias", "gated_ff": False}),
    "bailing_moe": _bailing,
    "bailing_moe_v2": _bailing_v2,
    "cohere": Family("Cohere", _ATTENTION, tied=True, parts={"norms_per_layer": 1}),
    "cohere2": Family(
        "Cohere2",
        _ATTENTION,
        pattern=layers.period(4, "sliding_window_pattern", "_sliding_window_pattern"),
        tied=True,
        parts={"norms_per_layer": 1},
    ),
    "dbrx": Family("Dbrx", experts="ffn_hidden_size moe_num_experts moe_top_k"),
    "deepseek": replace(_deepseek, classes="Deepseek", attention=_ATTENTION, parts={}),
    "deepseek_v2": replace(_deepseek, classes="DeepseekV2", parts={}),
    "deepseek_v3": _deepseek,
    "deepseek_v32": replace(_deepseek, classes="DeepseekV32", attention=indexed),
    "dots1": _dots1,
    "ernie4_5": _ernie,
    "ernie4_5_moe": replace(
        _ernie,
        classes="Ernie4_5_Moe Ernie4_5_MoE",
        experts="moe_intermediate_size moe_num_experts moe_k",
        shared="moe_num_shared_experts",
        places=layers.ernie,
        parts={"ff_bias": "use_bias", "router_bias": True, "output_bias": "use_bias"},
    ),
    "exaone4": Family("Exaone4", Heads(norm="head"), pattern=layers.period(4, "sliding_window_pattern")),
    "exaone_moe": Family(
        "ExaoneMoe ExaoneMoE",
        Heads(norm="head"),
        pattern=layers.period(4, "sliding_window_pattern"),
        experts=QWEN,
        shared="num_shared_experts",
        places=layers.leading,
        parts={"router_bias": True},
    ),
    "flex_olmo": replace(_olmo2, classes="FlexOlmo", experts="intermediate_size num_experts num_experts_per_tok"),
    "gemma": Family("Gemma", **_GEMMA),
    "gemma2": _gemma2,
    "gemma3_text": replace(_gemma2, classes="Gemma3", attention=_HEAD_NORM, pattern=_gemma3_period),
    "gemma4_text": Family(
        "Gemma4",
        local=_HEAD_NORM,
        pattern=layers.period(6),
        experts="moe_intermediate_size num_experts top_k_experts",
        tied=True,
    ),
    "glm4": Family("Glm4", Heads("attention_bias", False), parts={"norms_per_layer": 4}),
    "glm4_moe": _glm4_moe,
    "glm4_moe_lite": replace(_deepseek, classes="Glm4MoeLite"),
    "glm4v_moe_text": replace(_glm4_moe, classes="Glm4vMoe", attention=Heads("attention_bias=true", False)),
    "glm_moe_dsa": replace(_deepseek, classes="GlmMoeDsa", attention=indexed),
    "gpt_oss": Family(
        "GptOss",
        Heads("attention_bias=true", own_dim=True, sinks=True),
        pattern=layers.alternating,
        experts=MIXTRAL,
        parts={"ff_bias": True, "router_bias": True},
    ),
    "granite": replace(_llama, classes="Granite"),
    "granitemoe": _granitemoe,
    "granitemoehybrid": replace(
        _granitemoeshared, classes="GraniteMoeHybrid", other=_MAMBA2, dense="shared_intermediate_size"
    ),
    "granitemoeshared": _granitemoeshared,
    "hunyuan_v1_dense": Family("HunYuanDenseV1", Heads("attention_bias", norm="head")),
    "hunyuan_v1_moe": Family(
        "HunYuanMoEV1",
        Heads("attention_bias", norm="head"),
        experts="intermediate_size num_experts moe_topk",
        shared="num_shared_expert",
        known="moe_intermediate_size",
    ),
    "hy_v3": replace(
        _glm4_moe,
        classes="HYV3",
        attention=Heads("attention_bias", norm="head", own_dim=True),
        experts=QWEN,
        shared="num_shared_experts",
    ),
    "jamba": Family(
        "Jamba",
        other=_jamba,
        pattern=layers.jamba_attention,
        experts="intermediate_size num_experts num_experts_per_tok",
        places=layers.jamba,
    ),
    "kimi_k2": replace(_deepseek, classes="DeepseekV3 KimiK2"),
    "kimi_linear": replace(
        _deepseek,
        classes="KimiLinear",
        other=_kimi_delta,
        pattern=layers.kimi,
        experts="moe_intermediate_size num_experts num_experts_per_token",
        shared="num_shared_experts",
        known="linear_attn_config",
        foreign="attn_res_block_size routed_expert_hidden_size mla_use_output_gate latent_moe_use_norm",
    ),
    "lfm2_moe": Family(
        "Lfm2Moe",
        Heads(norm="head"),
        other=_short_convolution,
        pattern=layers.fully,
        experts=QWEN,
        places=layers.leading,
        tied=True,
        parts={"router_bias": "use_expert_bias=true"},
    ),
    "llama": _llama,
    "llama4_text": Family(
        "Llama4",
        _ATTENTION,
        pattern=layers.ropes,
        window="attention_chunk_size",
        experts=MIXTRAL,
        shared="1",
        places=layers.interleaved,
        dense="intermediate_size_mlp",
        known="use_qk_norm",
    ),
    "mimo_v2": replace(_mimo, classes="MiMoV2"),
    "mimo_v2_flash": _mimo,
    "minimax": Family(
        "MiniMax MiniMaxText01",
        other=_lightning,
        pattern=layers.minimax,
        experts=MIXTRAL,
        shared=" *shared_intermediate_size",
    ),
    "minimax_m1": Family(
        "MiniMaxM1", other=_lightning, pattern=layers.minimax, experts=MIXTRAL, shared=" *shared_intermediate_size"
    ),
    "minimax_m2": Family(
        "MiniMaxM2",
        Heads(norm="all", norm_if="use_qk_norm=true", own_dim=True),
        experts=MIXTRAL,
        shared=" *shared_intermediate_size",
        parts={"router_bias": "use_routing_bias=true"},
    ),
    "ministral3": Family("Ministral3", pattern=layers.windows),
    "mistral": Family("Mistral", pattern=layers.windows),
    "mixtral": Family("Mixtral", pattern=layers.windows, experts=MIXTRAL),
    "nemotron_h": Family(
        "NemotronH",
        _ATTENTION,
        other=_mamba2(_NEMOTRON, "use_conv_bias"),
        pattern=layers.nemotron,
        experts=DEEPSEEK,
        shared="1 moe_shared_expert_intermediate_size",
        known="n_shared_experts",
        parts={"norms_per_layer": 1, "gated_ff": False, "ff_bias": "mlp_bias", "router_bias": True},
    ),
    "olmo2": _olmo2,
    "olmo3": replace(_olmo2, classes="Olmo3", pattern=layers.period(4)),
    "olmoe": replace(_olmo2, classes="Olmoe", experts="intermediate_size num_experts num_experts_per_tok"),
    "phi3": Family("Phi3", pattern=layers.windows),
    "phimoe": Family(
        "Phimoe PhiMoE",
        _ATTENTION,
        pattern=layers.windows,
        experts=MIXTRAL,
        parts={"norm_bias": True, "output_bias": "lm_head_bias"},
    ),
    "qwen2": Family("Qwen2", Heads(True, False), pattern=layers.switched),
    "qwen2_moe": _qwen2_moe,
    "qwen3": Family("Qwen3", _HEAD_NORM, pattern=layers.switched),
    "qwen3_5_moe_text": replace(_qwen3_next, classes="Qwen3_5Moe", places=layers.all_layers),
    "qwen3_5_text": replace(_qwen3_next, classes="Qwen3_5", experts="", shared="", places=layers.all_layers, parts={}),
    "qwen3_moe": _qwen3_moe,
    "qwen3_next": _qwen3_next,
    "qwen3_vl_moe_text": replace(_qwen3_moe, classes="Qwen3VLMoe", attention=_HEAD_NORM),
    "qwen3_vl_text": Family("Qwen3VL", _HEAD_NORM),
    "seed_oss": Family("SeedOss", Heads("attention_bias=true", "attention_out_bias", own_dim=True)),
    "smollm3": Family("SmolLM3", _ATTENTION, pattern=layers.switched, tied=True, parts={"ff_bias": "mlp_bias"}),
    "solar_open": replace(
        _glm4_moe, classes="SolarOpen", attention=Heads("attention_bias", False, own_dim=True), places=layers.all_layers
    ),
    "step3_text": Family(
        "Step3Text",
        factorised,
        experts="moe_intermediate_size moe_num_experts moe_top_k",
        shared="1 share_expert_dim",
        places=layers.enumerated,
    ),
}
"""How to read each ``model_type``."""

_LINEAR = "has layers of linear attention or state spaces"
_SPARSE = "chooses the tokens to attend to by an index over compressed blocks"
_RESIDUAL = "has residual streams or experts of its own kind"
REFUSED = {
    "arctic": "adds a dense network to the experts of every layer",
    "bailing_hybrid": _LINEAR,
    "bailing_moe_linear": _LINEAR,
    "bamba": _LINEAR,
    "deepseek_v4": _SPARSE,
    "falcon_h1": _LINEAR,
    "gemma3n_text": "has embeddings for each layer",
    "git": "is a name that files of Grok borrow from another model",
    "grok-1": "is not in any public library in this form",
    "jetmoe": "has experts in its attention",
    "kimi_k3": "has residuals over blocks of layers and experts in a narrower space",
    "laguna": "has another number of heads in each layer",
    "longcat_flash": "has experts that do nothing",
    "minimax_m3_vl_text": _SPARSE,
    "mllama_text_model": "has layers that attend to images",
    "olmo_hybrid": _LINEAR,
    "openelm": "has another width in each layer",
    "qwen4_exp_text": _RESIDUAL,
    "zamba2": _LINEAR,
    "zaya": "has attention and experts of its own kind",
}
"""Families that are known and not counted, and what they have that is not counted."""


def refuse(keys: Keys, name: object) -> None:
    """Refuse a ``model_type`` that is known not to be counted."""
    if isinstance(name, str) and name in REFUSED:
        raise InputError(
            f"{keys.place}, key '{keys.within}model_type': \"{name}\" is found, which {REFUSED[name]} and cannot be "
            f"counted; one of {', '.join(FAMILIES)} is expected."
        )


def architecture(keys: Keys) -> Architecture:
    """Return the architecture that a configuration describes, if its class is the family's plain one."""
    name = keys.text("model_type", "one of " + ", ".join(FAMILIES))
    refuse(keys, name)
    if name not in FAMILIES:
        raise keys.wrong("model_type", "one of " + ", ".join(FAMILIES))
    family = _of_class(FAMILIES[name], keys)
    return _gemma4(family, keys) if name == "gemma4_text" else family.read(keys)


def _of_class(family: Family, keys: Keys) -> Family:
    """Return the family, or the one that the class of the second Ling belongs to; refuse any other class."""
    found = keys.items("architectures", str)
    mapped = keys.get("auto_map")
    if mapped is not None and not isinstance(mapped, dict):
        raise keys.wrong("auto_map", "an object")
    target = (mapped or {}).get("AutoModelForCausalLM")
    classes = [*(found or []), *([target.rpartition(".")[2]] if isinstance(target, str) else [])]
    if classes and family is _bailing and classes[0].startswith("BailingMoeV2"):
        family = _bailing_v2
    plain = [f"{stem}ForCausalLM" for stem in family.classes.split()]
    for one in classes:
        if one not in plain:
            key = "architectures" if one in (found or []) else "auto_map"
            raise InputError(
                f"{keys.place}, key '{keys.within}{key}': \"{one[:60]}\" is found, whose structure need not be that of "
                f"the family {keys.values['model_type']}; {' or '.join(plain)} is expected."
            )
    if not classes and not keys.within:
        keys.notes.append(f"Key 'architectures' is missing; {plain[0]} is assumed.")
    elif isinstance(target, str):
        keys.notes.append(f"Code beside the weights ('auto_map', {target[:60]}) is not read; the family's is assumed.")
    return family
