"""The accounting held against what the makers of public models publish, and against short cuts."""

import pandas as pd

from moelaws import data
from moelaws.models import catalogue
from moelaws.models.architecture import Architecture
from moelaws.models.attention import LatentAttention


def counts() -> pd.DataFrame:
    """Return the counts of every model of ``models/models`` beside the published ones.

    Makers count the active parameters in three ways, which `active_counts` names: `all` that a token
    uses, all but the input embedding (`output`), or neither embedding nor output layer (`body`).

    Returns
    -------
    pandas.DataFrame
        By model: total_published and active_published as printed, in 1e9 parameters; total and active as
        computed, parameters; total_agrees and active_agrees, whether they round to the printed digits;
        off_reference, parameters more than in the model that the library transformers builds;
        deviation, why they do not agree.

    Examples
    --------
    Published are 21 and 3.6 billion:

    >>> counts().loc["gpt-oss-20b", ["total", "active"]].astype(int).to_list()
    [20914757184, 3608307264]
    """
    printed = data.printed("models/models").set_index("model")
    known = data.load("models/models").set_index("model")
    counted = {name: catalogue.load(name) for name in known.index}
    total = pd.Series({name: model.n_total for name, model in counted.items()})
    active = pd.Series(
        {name: _active(model, known.active_counts[name]) for name, model in counted.items()}, dtype="Int64"
    )
    return pd.DataFrame(
        {
            "total_published": printed.n_total_published,
            "total": total,
            "total_agrees": _agrees(total, printed.n_total_published),
            "active_published": printed.n_active_published,
            "active": active,
            "active_counts": known.active_counts,
            "active_agrees": _agrees(active, printed.n_active_published),
            "off_reference": total - known.n_total_reference,
            "deviation": known.deviation.fillna(""),
        }
    )


def shortcuts(seq_len: int = 4096) -> pd.DataFrame:
    """Return what the usual short cuts get wrong, in per cent of the right value.

    Parameters
    ----------
    seq_len : int
        Tokens of the sequence in which training work is counted, with scores with earlier tokens.

    Returns
    -------
    pandas.DataFrame
        By model: work_from_total and work_from_active, for training work of six FLOP for each
        parameter and token; memory_from_active, for the active parameters as those to store;
        parameters_of_square_heads and cache_of_square_heads, for heads as wide as the hidden size over
        the heads, with keys and values of their own where they are compressed.

    Examples
    --------
    Of Mixtral-8x7B, six FLOP for each of all parameters make the work of a token 3.5 times too large:

    >>> round(float(shortcuts().work_from_total["Mixtral-8x7B"]))
    252
    """
    counted = {name: catalogue.load(name) for name in data.load("models/models").model}
    return pd.DataFrame({name: _errors(model, seq_len) for name, model in counted.items()}).T


def _errors(model: Architecture, seq_len: int) -> dict[str, float]:
    work = model.training_flops(seq_len, causal=True)
    heads = model.attention
    n_kv_heads = heads.n_heads if isinstance(heads, LatentAttention) else heads.n_kv_heads
    head_dim = model.d_model / heads.n_heads
    square = 2 * model.d_model * head_dim * (heads.n_heads + n_kv_heads)
    return {
        "work_from_total": 100 * (6 * model.n_total / work - 1),
        "work_from_active": 100 * (6 * model.n_active / work - 1),
        "memory_from_active": 100 * (model.n_active / model.n_total - 1),
        "parameters_of_square_heads": 100 * model.n_layers * (square - heads.matrices(model.d_model)) / model.n_total,
        "cache_of_square_heads": 100 * (2 * n_kv_heads * head_dim / heads.kv_elements - 1),
    }


def _active(model: Architecture, counted: str) -> int | None:
    """Return the active parameters as one of the three ways counts them; none where nothing is published."""
    looked_up = 0 if model.tied else model.n_embedding
    return {"all": model.n_active + looked_up, "output": model.n_active, "body": model.n_body_active}.get(counted)


def _agrees(computed: pd.Series, printed: pd.Series) -> list[bool | None]:
    """Tell which counts round to the printed digits; none where nothing is printed."""
    return [_rounds(count, digits) for count, digits in zip(computed, printed, strict=True)]


def _rounds(count: float, digits: str) -> bool | None:
    return f"{count / 1e9:.{len(digits.partition('.')[2])}f}" == digits if digits else None
