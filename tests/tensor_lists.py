"""Models written out tensor by tensor, layer by layer, from sizes that no configuration names yet.

Independent of the package: `FAMILIES` says, for each ``model_type``, which tensors its published code has and under
which keys its configuration gives their sizes.
"""

from math import prod

from hypothesis import strategies as st

small = st.integers(1, 9)


@st.composite
def sizes(draw):
    """Sizes of a small model; `where` says for each layer whether experts may stand there."""
    kv, group, n_layers, n_experts = (
        draw(small),
        draw(st.integers(1, 3)),
        draw(st.integers(2, 9)),
        draw(st.integers(2, 6)),
    )
    names = (
        "d vocab head v_head ff expert shared rank q_rank rope nope index index_heads window kernel state groups latent"
    )
    drawn = {name: draw(small) for name in names.split()}
    flags = {name: draw(st.booleans()) for name in ("tied", "bias", "bias2", "norm", "listed")}
    return {
        **drawn,
        **flags,
        "layers": n_layers,
        "kv": kv,
        "heads": kv * group,
        "experts": n_experts,
        "top": draw(st.integers(1, n_experts)),
        "n_shared": draw(st.integers(0, 2)),
        "front": draw(st.integers(0, n_layers)),
        "step": draw(st.integers(1, 3)),
        "where": draw(st.lists(st.booleans(), min_size=n_layers, max_size=n_layers)),
        "other": draw(st.lists(st.booleans(), min_size=n_layers, max_size=n_layers)),
    }


def grouped(s, *, bias=False, back=None, norm="", sinks=False, gate=0, kv=None, head=None, v_head=None, same=False):
    d, h, kv, e = s["d"], s["heads"], kv or s["kv"], head or s["head"]
    v = v_head or e
    found = [(h * e, d), (kv * e, d), (d, h * v)] + ([] if same else [(kv * v, d)])
    found += [(h * e,), (kv * e,)] + [(kv * v,)] * (not same) if bias else []
    found += [(d,)] if (bias if back is None else back) else []
    found += {"": [], "head": [(e,), (e,)], "all": [(h * e,), (kv * e,)]}[norm]
    return found + ([(h,)] if sinks else []) + ([(h * v, d)] + [(h * v,)] * (bias and gate > 1) if gate else [])


def latent(s, *, q=True, bias=False, index=False):
    d, h, r, q_rank = s["d"], s["heads"], s["rank"], s["q_rank"] if q else 0
    width = h * (s["rope"] + s["nope"])
    found = [(q_rank, d), (q_rank,), (width, q_rank)] if q else [(width, d)]
    found += [(r + s["rope"], d), (r,), (h * (s["nope"] + s["v_head"]), r), (d, h * s["v_head"])]
    found += ([(q_rank,)] if q else []) + [(r + s["rope"],), (d,)] if bias else []
    if index:
        n, e = s["index_heads"], s["index"]
        found += [(n * e, q_rank), (e, d), (e,), (e,), (n, d)]
    return found


def delta(s):
    d, k, v, e, w = s["d"], s["kv"], s["heads"], s["head"], s["v_head"]
    mixed = 2 * k * e + v * w
    return [(mixed, d), (v * w, d), (v, d), (v, d), (mixed, 1, s["kernel"]), (v,), (v,), (w,), (d, v * w)]


def kimi(s):
    d, n, e = s["d"], s["kv"], s["head"]
    gates = [(e, d), (n * e, e)] * 2
    return [(n * e, d)] * 3 + [(n * e, 1, s["kernel"])] * 3 + gates + [(n, d), (n,), (n * e,), (e,), (d, n * e)]


def lightning(s):
    inner = s["heads"] * s["head"]
    return [(3 * inner, s["d"]), (inner, s["d"]), (s["d"], inner), (inner,)]


def mamba(s):
    d, inner, n, r = s["d"], s["groups"] * s["d"], s["state"], s["rank"]
    found = [(2 * inner, d), (inner, 1, s["kernel"]), (r + 2 * n, inner), (inner, r), (inner,), (d, inner)]
    found += [(inner * n,), (inner,), (r,), (n,), (n,)]
    return found + ([(inner,)] if s["bias"] else []) + ([(2 * inner,), (d,)] if s["bias2"] else [])


def mamba2(s):
    d, n, inner = s["d"], s["heads"], s["heads"] * s["head"]
    mixed = inner + 2 * s["groups"] * s["state"]
    found = [(inner + mixed + n, d), (mixed, 1, s["kernel"]), (n,), (n,), (n,), (inner,), (d, inner)]
    return found + ([(mixed,)] if s["bias"] else []) + ([(inner + mixed + n,), (d,)] if s["bias2"] else [])


def conv(s):
    d = s["d"]
    return [(3 * d, d), (d, 1, s["kernel"]), (d, d)] + ([(3 * d,), (d,), (d,)] if s["bias2"] else [])


def ff(d, width, *, bias=False, gated=True):
    found = [(width, d)] * (1 + gated) + [(d, width)]
    return found + ([(width,)] * (1 + gated) + [(d,)] if bias and width else [])


def model(s, mixers, feeds, *, norms=2, norm_bias=False, head_bias=False, final=()):
    """All tensors, each with how often a token uses it; `mixers` and `feeds` have one list for each layer."""
    d, v = s["d"], s["vocab"]
    norm = [((d,), 1)] * (1 + norm_bias)
    found = [((v, d), 0 if not s["tied"] else 1)] + ([] if s["tied"] else [((v, d), 1)])
    found += [((v,), 1)] if head_bias else []
    for mixer, feed in zip(mixers, feeds, strict=True):
        found += [(shape, 1) for shape in mixer] + feed + norm * norms
    return found + norm + list(final)


def always(shapes):
    return [(shape, 1) for shape in shapes]


def moe(s, *, bias=False, gated=True, balance=False, shared=0, gate=False, router_bias=False, d=None):
    """Experts of a layer: only the first `top` are used for a token."""
    d, width = s["d"], s["expert"]
    found = always([(s["experts"], d)]) + always([(s["experts"],)] if balance or router_bias else [])
    for number in range(s["experts"]):
        found += [(shape, int(number < s["top"])) for shape in ff(d, width, bias=bias, gated=gated)]
    found += always(ff(d, shared, bias=bias, gated=gated)) if shared else []
    return found + always([(1, d)] if gate else [])


def total(found):
    return sum(prod(shape) for shape, _ in found)


def active(found):
    return sum(prod(shape) * used for shape, used in found)


def base(s, **more):
    return {
        "hidden_size": s["d"],
        "num_hidden_layers": s["layers"],
        "num_attention_heads": s["heads"],
        "num_key_value_heads": s["kv"],
        "head_dim": s["head"],
        "intermediate_size": s["ff"],
        "vocab_size": s["vocab"],
        "tie_word_embeddings": s["tied"],
        **more,
    }


QWEN, DEEPSEEK, MIXTRAL = (
    ("moe_intermediate_size", "num_experts", "num_experts_per_tok"),
    ("moe_intermediate_size", "n_routed_experts", "num_experts_per_tok"),
    ("intermediate_size", "num_local_experts", "num_experts_per_tok"),
)


def experts(s, names):
    return dict(zip(names, (s["expert"], s["experts"], s["top"]), strict=True))


def dense_family(attention, keys=lambda s: {}, bias=lambda s: False, **parts):
    """A family without experts: its configuration and its tensors."""

    def family(s):
        feed = always(ff(s["d"], s["ff"], bias=bias(s), gated=parts.get("gated", True)))
        rest = {name: value for name, value in parts.items() if name != "gated"}
        return base(s, **keys(s)), model(s, [attention(s)] * s["layers"], [feed] * s["layers"], **rest)

    return family


def moe_family(attention, names, *, keys=lambda s: {}, place="all", layer=moe, other=None, **parts):
    """A family with experts at the places that `place` gives and, in some layers, `other` than attention."""

    def family(s):
        where, placed = PLACES[place](s)
        dense = always(ff(s["d"], s["ff"], bias=parts.get("ff_bias", False)))
        feeds = [layer(s) if flag else dense for flag in where]
        mixers = [other(s) if other and flag else attention(s) for flag in s["other"]]
        rest = {name: value for name, value in parts.items() if name != "ff_bias"}
        return base(s, **experts(s, names), **placed, **keys(s)), model(s, mixers, feeds, **rest)

    return family


def kinds(s, other="linear_attention", full="full_attention"):
    return [other if flag else full for flag in s["other"]]


def listed(s):
    return s["where"], {"mlp_layer_types": ["sparse" if flag else "dense" for flag in s["where"]]}


def leading(s):
    where = [i >= s["front"] and i % s["step"] == 0 for i in range(s["layers"])]
    return where, {"first_k_dense_replace": s["front"], "moe_layer_freq": s["step"]}


def sparse(s):
    only = [i for i, flag in enumerate(s["where"]) if not flag]
    where = [(i + 1) % s["step"] == 0 and i not in only for i in range(s["layers"])]
    return where, {"decoder_sparse_step": s["step"], "mlp_only_layers": only}


def llama4(s):
    steps = [(i + 1) % s["step"] == 0 for i in range(s["layers"])]
    if not s["listed"]:
        return steps, {"interleave_moe_layer_step": s["step"]}
    found = [i for i, flag in enumerate(s["where"]) if flag]
    return s["where"], {"moe_layers": found, "interleave_moe_layer_step": s["step"]}


def frequent(s):
    return s["where"], {"moe_layer_freq": [int(flag) for flag in s["where"]]}


def ernie(s):
    end = s["layers"] - 1 if s["listed"] else max(0, s["layers"] - 2)
    where = [(i + 1) % s["step"] == 0 and s["front"] <= i <= end for i in range(s["layers"])]
    places = {"moe_layer_start_index": s["front"], "moe_layer_end_index": -1 if s["listed"] else end}
    return where, places | {"moe_layer_interval": s["step"]}


def jamba(s):
    where = [i % s["step"] == s["step"] - 1 for i in range(s["layers"])]
    return where, {"expert_layer_period": s["step"], "expert_layer_offset": s["step"] - 1}


def enumerated(s):
    if not s["listed"]:
        return [i > 0 for i in range(s["layers"])], {}
    return s["where"], {"moe_layers_enum": ",".join(str(i) for i, flag in enumerate(s["where"]) if flag)}


PLACES = {
    "all": lambda s: ([True] * s["layers"], {}),
    "listed": listed,
    "leading": leading,
    "front": lambda s: ([i >= s["front"] for i in range(s["layers"])], {"first_k_dense_replace": s["front"]}),
    "num_dense": lambda s: ([i >= s["front"] for i in range(s["layers"])], {"num_dense_layers": s["front"]}),
    "sparse": sparse,
    "llama4": llama4,
    "frequent": frequent,
    "ernie": ernie,
    "jamba": jamba,
    "enumerated": enumerated,
}


def has_bias(s):
    return {"attention_bias": s["bias"]}


def both(s):
    return {"attention_bias": s["bias"], "mlp_bias": s["bias2"]}


def multi_latent(s):
    names = {"q_lora_rank": "q_rank", "kv_lora_rank": "rank", "qk_rope_head_dim": "rope", "qk_nope_head_dim": "nope"}
    return {key: s[size] for key, size in names.items()} | {"v_head_dim": s["v_head"], "attention_bias": s["bias"]}


def indexer(s):
    return multi_latent(s) | {
        "index_n_heads": s["index_heads"],
        "index_head_dim": s["index"],
        "index_topk": s["window"],
    }


def linear(s):
    names = {"key_head_dim": "head", "value_head_dim": "v_head", "num_key_heads": "kv", "num_value_heads": "heads"}
    return {f"linear_{key}": s[size] for key, size in names.items()} | {"linear_conv_kernel_dim": s["kernel"]}


def plain_bias(s):
    return grouped(s, bias=s["bias"])


def head_norm(s):
    return grouped(s, bias=s["bias"], norm="head")


def all_norm(s):
    return grouped(s, bias=s["bias"], norm="all")


def gated_heads(s, gate=1):
    return grouped(s, bias=s["bias"], norm="head", gate=gate)


def gated_queries(s):
    return gated_heads(s, 2)


def some_shared(s, **more):
    return moe(s, balance=True, shared=s["n_shared"] * s["expert"], **more)


def n_shared(s, key="n_shared_experts"):
    return {key: s["n_shared"]}


def deepseek(names=DEEPSEEK, key="n_shared_experts", place="leading", attention=None, keys=multi_latent, balance=True):
    def layer(s):
        return moe(s, balance=balance, shared=s["n_shared"] * s["expert"])

    attention = attention or (lambda s: latent(s, bias=s["bias"]))
    return moe_family(attention, names, keys=lambda s: keys(s) | n_shared(s, key), place=place, layer=layer)


def granite(s):
    return moe(s, shared=s["shared"])


def granite_keys(s):
    return {"shared_intermediate_size": s["shared"], "attention_bias": s["bias"]}


def granite_hybrid(s):
    names = {"n_heads": "heads", "d_head": "head", "n_groups": "groups", "d_state": "state", "d_conv": "kernel"}
    mixer = {f"mamba_{key}": s[size] for key, size in names.items()}
    # the attention of this family has biases under a key that is false here, as `bias` is the convolution's
    values = {"mamba_conv_bias": s["bias"], "mamba_proj_bias": s["bias2"], "attention_bias": False}
    config = base(s, **mixer, **values, **experts(s, MIXTRAL), shared_intermediate_size=s["shared"])
    mixers = [mamba2(s) if flag else grouped(s) for flag in s["other"]]
    return config | {"layer_types": kinds(s, "mamba", "attention")}, model(s, mixers, [granite(s)] * s["layers"])


def nemotron_h(s):
    letters = "".join("E-M*"[2 * a + b] for a, b in zip(s["where"], s["other"], strict=True))
    parts = {
        "M": (mamba2(s), []),
        "*": (grouped(s), []),
        "-": ([], always(ff(s["d"], s["ff"], gated=False))),
        "E": ([], moe(s, balance=True, gated=False, shared=s["shared"])),
    }
    mixers, feeds = zip(*(parts[letter] for letter in letters), strict=True)
    config = base(s, **experts(s, DEEPSEEK), n_shared_experts=s["n_shared"], attention_bias=False, mlp_bias=False)
    config |= {"mamba_num_heads": s["heads"], "mamba_head_dim": s["head"], "n_groups": s["groups"]}
    config |= {"ssm_state_size": s["state"], "conv_kernel": s["kernel"], "use_conv_bias": s["bias"]}
    config |= {"mamba_proj_bias": s["bias2"], "moe_shared_expert_intermediate_size": s["shared"]}
    return config | {"hybrid_override_pattern": letters}, model(s, mixers, feeds, norms=1)


def kimi_linear(s):
    where, placed = leading(s)
    names = ("moe_intermediate_size", "num_experts", "num_experts_per_token")
    config = base(s, **experts(s, names), **placed, **multi_latent(s), num_shared_experts=s["n_shared"])
    config |= {"q_lora_rank": None, "attention_bias": False}
    layers = {False: [], True: []}
    for number, flag in enumerate(s["other"], start=1):
        layers[flag].append(number)
    config["linear_attn_config"] = {
        "full_attn_layers": layers[False],
        "kda_layers": layers[True],
        "num_heads": s["kv"],
        "head_dim": s["head"],
        "short_conv_kernel_size": s["kernel"],
    }
    dense = always(ff(s["d"], s["ff"]))
    mixers = [kimi(s) if flag else latent(s, q=False) for flag in s["other"]]
    return config, model(s, mixers, [some_shared(s) if flag else dense for flag in where])


def mimo(s):
    where, placed = frequent(s)
    config = base(s, **experts(s, DEEPSEEK), **placed, n_shared_experts=s["n_shared"], v_head_dim=s["v_head"])
    config |= {"swa_num_key_value_heads": s["heads"], "swa_head_dim": s["index"], "swa_v_head_dim": s["nope"]}
    config |= {"hybrid_layer_pattern": [int(flag) for flag in s["other"]], "sliding_window": s["window"]}
    config |= {"attention_bias": s["bias"], "add_swa_attention_sink_bias": True, "add_full_attention_sink_bias": False}
    near = grouped(s, bias=s["bias"], back=False, sinks=True, kv=s["heads"], head=s["index"], v_head=s["nope"])
    far = grouped(s, bias=s["bias"], back=False, v_head=s["v_head"])
    dense = always(ff(s["d"], s["ff"]))
    mixers = [near if flag else far for flag in s["other"]]
    return config, model(s, mixers, [some_shared(s) if flag else dense for flag in where])


def gemma4(s):
    near = grouped(s, bias=s["bias"], norm="head")
    kv = 1 if s["bias2"] else s["kv"]
    far = grouped(s, bias=s["bias"], norm="head", kv=kv, head=s["index"], same=s["bias2"])
    feed = always(ff(s["d"], s["ff"])) + always([(1,)])
    feed += moe(s, balance=True) + always([(s["d"],)]) if s["norm"] else []
    config = base(
        s, **has_bias(s), global_head_dim=s["index"], num_global_key_value_heads=1, sliding_window=s["window"]
    )
    config |= {
        "layer_types": kinds(s, "sliding_attention"),
        "attention_k_eq_v": s["bias2"],
        "enable_moe_block": s["norm"],
    }
    config |= {"moe_intermediate_size": s["expert"], "num_experts": s["experts"], "top_k_experts": s["top"]}
    config |= {"hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0}
    mixers = [near if flag else far for flag in [*s["other"][:-1], False]]  # the last layer is never a window's
    return config, model(s, mixers, [feed] * s["layers"], norms=7 if s["norm"] else 4)


def dbrx(s):
    config = {"d_model": s["d"] * s["heads"], "n_layers": s["layers"], "n_heads": s["heads"], "vocab_size": s["vocab"]}
    config |= {"attn_config": {"kv_n_heads": s["kv"]}, "tie_word_embeddings": s["tied"]}
    config["ffn_config"] = dict(
        zip(("ffn_hidden_size", "moe_num_experts", "moe_top_k"), (s["expert"], s["experts"], s["top"]), strict=True)
    )
    wide = s | {"d": s["d"] * s["heads"], "head": s["d"]}
    return config, model(wide, [grouped(wide)] * s["layers"], [moe(wide)] * s["layers"])


def step3(s):
    d, n, e, q = s["d"], s["heads"], s["head"], s["q_rank"]
    where, placed = enumerated(s)
    config = base(s, **placed, moe_intermediate_size=s["expert"], moe_num_experts=s["experts"], moe_top_k=s["top"])
    config |= {"share_q_dim": q, "num_attention_groups": 1, "share_expert_dim": s["shared"]}
    attention = [(q, d), (q,), (n * e, q), (e, d), (e, d), (d, n * e)]
    dense = always(ff(d, s["ff"]))
    feeds = [moe(s, shared=s["shared"]) if flag else dense for flag in where]
    return config, model(s, [attention] * s["layers"], feeds)


def lfm2(s):
    where, placed = PLACES["num_dense"](s)
    config = base(s, **experts(s, QWEN), **placed, layer_types=kinds(s, "conv"), use_expert_bias=s["bias"])
    config |= {"conv_L_cache": s["kernel"], "conv_bias": s["bias2"]}
    dense = always(ff(s["d"], s["ff"]))
    mixers = [conv(s) if flag else grouped(s, norm="head") for flag in s["other"]]
    return config, model(s, mixers, [moe(s, balance=s["bias"]) if flag else dense for flag in where])


def jamba_model(s):
    where, placed = jamba(s)
    step = s["step"] + 1
    config = base(s, num_experts=s["experts"], num_experts_per_tok=s["top"], **placed)
    config |= {"attn_layer_period": step, "attn_layer_offset": step - 1, "mamba_expand": s["groups"]}
    config |= {"mamba_d_state": s["state"], "mamba_d_conv": s["kernel"], "mamba_dt_rank": s["rank"]}
    config |= {"mamba_conv_bias": s["bias"], "mamba_proj_bias": s["bias2"]}
    wide = s | {"expert": s["ff"]}
    dense = always(ff(s["d"], s["ff"]))
    mixers = [grouped(s) if i % step == step - 1 else mamba(s) for i in range(s["layers"])]
    return config, model(s, mixers, [moe(wide) if flag else dense for flag in where])


def qwen_next(place, keys, layer=None, names=QWEN):
    layer = layer or (lambda s: moe(s, shared=s["shared"], gate=True))

    def more(s):
        values = {"attention_bias": s["bias"], "layer_types": kinds(s), **linear(s)}
        return values | ({"shared_expert_intermediate_size": s["shared"]} if keys else {})

    return moe_family(gated_queries, names, keys=more, place=place, layer=layer, other=delta)


def qwen35_dense(s):
    config = base(s, attention_bias=s["bias"], layer_types=kinds(s), **linear(s))
    feed = always(ff(s["d"], s["ff"]))
    return config, model(s, [delta(s) if flag else gated_queries(s) for flag in s["other"]], [feed] * s["layers"])


def minimax(s):
    mixers = [lightning(s) if flag else grouped(s) for flag in s["other"]]
    config = base(s, **experts(s, MIXTRAL), attn_type_list=[int(not flag) for flag in s["other"]])
    return config | {"shared_intermediate_size": 0}, model(s, mixers, [moe(s)] * s["layers"])


def ling(s):
    where, placed = PLACES["front"](s)
    config = base(s, **experts(s, QWEN), **placed, num_shared_experts=s["n_shared"], use_bias=s["bias2"])
    config |= {"use_qkv_bias": s["bias"], "use_qk_norm": s["norm"], "moe_router_enable_expert_bias": s["listed"]}
    config |= {"moe_shared_expert_intermediate_size": s["shared"]}
    attention = grouped(s, bias=s["bias"], back=s["bias2"], norm="head" if s["norm"] else "")
    dense = always(ff(s["d"], s["ff"], bias=s["bias2"]))
    layer = moe(s, bias=s["bias2"], balance=s["listed"], shared=s["n_shared"] * s["shared"])
    return config, model(s, [attention] * s["layers"], [layer if flag else dense for flag in where])


def phimoe(s):
    config = base(s, **experts(s, MIXTRAL), attention_bias=s["bias"], lm_head_bias=s["bias2"])
    mixers = [plain_bias(s)] * s["layers"]
    return config, model(s, mixers, [moe(s)] * s["layers"], norm_bias=True, head_bias=s["bias2"])


def ernie_moe(s):
    where, placed = ernie(s)
    names = ("moe_intermediate_size", "moe_num_experts", "moe_k")
    config = base(s, **experts(s, names), **placed, moe_num_shared_experts=s["n_shared"], use_bias=s["bias"])
    dense = always(ff(s["d"], s["ff"], bias=s["bias"]))
    layer = moe(s, bias=s["bias"], balance=True, shared=s["n_shared"] * s["expert"])
    mixers = [plain_bias(s)] * s["layers"]
    return config, model(s, mixers, [layer if flag else dense for flag in where], head_bias=s["bias"])


def no_back(s):
    return grouped(s, bias=s["bias"], back=False)


def minimax_m2(s):
    config = base(s, **experts(s, MIXTRAL), use_qk_norm=s["norm"], use_routing_bias=s["bias"])
    attention = grouped(s, norm="all" if s["norm"] else "")
    layer = moe(s, balance=s["bias"], shared=s["shared"])
    config |= {"shared_intermediate_size": s["shared"]}
    return config, model(s, [attention] * s["layers"], [layer] * s["layers"])


def glm4_moe(s):
    where, placed = leading(s)
    config = base(s, **experts(s, DEEPSEEK), **placed, **n_shared(s), attention_bias=s["bias"], use_qk_norm=s["norm"])
    attention = grouped(s, bias=s["bias"], back=False, norm="head" if s["norm"] else "")
    dense = always(ff(s["d"], s["ff"]))
    return config, model(s, [attention] * s["layers"], [some_shared(s) if flag else dense for flag in where])


_llama = dense_family(plain_bias, both, lambda s: s["bias2"])
_qwen3 = dense_family(head_norm, has_bias)
_granitemoe = moe_family(plain_bias, MIXTRAL, keys=has_bias)
_hunyuan = moe_family(
    head_norm,
    ("intermediate_size", "num_experts", "moe_topk"),
    keys=lambda s: {"num_shared_expert": 1, "attention_bias": s["bias"]},
    layer=lambda s: moe(s, shared=s["expert"]),
)
_qwen_moe = moe_family(head_norm, QWEN, keys=has_bias, place="sparse")
_olmoe = moe_family(all_norm, ("intermediate_size", "num_experts", "num_experts_per_tok"), keys=has_bias)
FAMILIES = {
    "afmoe": moe_family(
        gated_heads,
        QWEN,
        keys=lambda s: has_bias(s) | n_shared(s, "num_shared_experts"),
        place="num_dense",
        layer=some_shared,
        norms=4,
    ),
    "arcee": dense_family(plain_bias, both, lambda s: s["bias2"], gated=False),
    "bailing_moe": ling,
    "bailing_moe_v2": ling,
    "cohere": dense_family(plain_bias, has_bias, norms=1),
    "cohere2": dense_family(plain_bias, has_bias, norms=1),
    "dbrx": dbrx,
    "deepseek": deepseek(attention=plain_bias, keys=has_bias, balance=False),
    "deepseek_v2": deepseek(balance=False),
    "deepseek_v3": deepseek(),
    "deepseek_v32": deepseek(attention=lambda s: latent(s, bias=s["bias"], index=True), keys=indexer),
    "dots1": deepseek(attention=head_norm, keys=has_bias),
    "ernie4_5": dense_family(plain_bias, lambda s: {"use_bias": s["bias"]}, lambda s: s["bias"]),
    "ernie4_5_moe": ernie_moe,
    "exaone4": dense_family(lambda s: grouped(s, norm="head")),
    "exaone_moe": deepseek(QWEN, "num_shared_experts", "listed", lambda s: grouped(s, norm="head"), lambda s: {}),
    "flex_olmo": _olmoe,
    "gemma": dense_family(plain_bias, has_bias),
    "gemma2": dense_family(plain_bias, lambda s: has_bias(s) | {"sliding_window": s["window"]}, norms=4),
    "gemma3_text": dense_family(head_norm, lambda s: has_bias(s) | {"sliding_window": s["window"]}, norms=4),
    "gemma4_text": gemma4,
    "glm4": dense_family(no_back, has_bias, norms=4),
    "glm4_moe": glm4_moe,
    "glm4_moe_lite": deepseek(place="listed"),
    "glm4v_moe_text": deepseek(attention=no_back, keys=has_bias),
    "glm_moe_dsa": deepseek(attention=lambda s: latent(s, bias=s["bias"], index=True), keys=indexer),
    "gpt_oss": moe_family(
        lambda s: grouped(s, bias=s["bias"], sinks=True),
        MIXTRAL,
        keys=lambda s: has_bias(s) | {"sliding_window": s["window"]},
        layer=lambda s: moe(s, bias=True, router_bias=True),
    ),
    "granite": _llama,
    "granitemoe": _granitemoe,
    "granitemoehybrid": granite_hybrid,
    "granitemoeshared": moe_family(plain_bias, MIXTRAL, keys=granite_keys, layer=granite),
    "hunyuan_v1_dense": _qwen3,
    "hunyuan_v1_moe": _hunyuan,
    "hy_v3": deepseek(QWEN, "num_shared_experts", "listed", head_norm, has_bias),
    "jamba": jamba_model,
    "kimi_k2": deepseek(),
    "kimi_linear": kimi_linear,
    "lfm2_moe": lfm2,
    "llama": _llama,
    "llama4_text": moe_family(
        plain_bias,
        MIXTRAL,
        keys=lambda s: has_bias(s) | {"intermediate_size_mlp": s["ff"]},
        place="llama4",
        layer=lambda s: moe(s, shared=s["expert"]),
    ),
    "mimo_v2": mimo,
    "mimo_v2_flash": mimo,
    "minimax": minimax,
    "minimax_m1": minimax,
    "minimax_m2": minimax_m2,
    "ministral3": dense_family(grouped),
    "mistral": dense_family(grouped),
    "mixtral": moe_family(grouped, MIXTRAL),
    "nemotron_h": nemotron_h,
    "olmo2": dense_family(all_norm, has_bias),
    "olmo3": dense_family(all_norm, lambda s: has_bias(s) | {"sliding_window": s["window"]}),
    "olmoe": _olmoe,
    "phi3": dense_family(grouped),
    "phimoe": phimoe,
    "qwen2": dense_family(lambda s: grouped(s, bias=True, back=False)),
    "qwen2_moe": moe_family(
        no_back,
        QWEN,
        keys=lambda s: {"qkv_bias": s["bias"], "shared_expert_intermediate_size": s["shared"]},
        place="sparse",
        layer=lambda s: moe(s, shared=s["shared"], gate=True),
    ),
    "qwen3": _qwen3,
    "qwen3_5_moe_text": qwen_next("all", keys=True),
    "qwen3_5_text": qwen35_dense,
    "qwen3_moe": _qwen_moe,
    "qwen3_next": qwen_next("sparse", keys=True),
    "qwen3_vl_moe_text": _qwen_moe,
    "qwen3_vl_text": _qwen3,
    "seed_oss": dense_family(
        lambda s: grouped(s, bias=s["bias"], back=s["bias2"]),
        lambda s: has_bias(s) | {"attention_out_bias": s["bias2"]},
    ),
    "smollm3": _llama,
    "solar_open": deepseek(place="all", attention=no_back, keys=has_bias),
    "step3_text": step3,
}
