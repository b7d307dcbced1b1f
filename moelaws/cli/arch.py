"""The command ``arch``: what a model costs, from its ``config.json``."""

import json

import click

from moelaws.models import huggingface as hf_config

UNITS = {
    "n_total": "parameters, all",
    "n_active": "parameters used for one token, less the input embedding",
    "n_embedding": "parameters of the input embedding",
    "flops_per_token_forward": "FLOP",
    "flops_per_token_training": "FLOP, three times the forward work",
    "weight_bytes": "bytes of all weights",
    "kv_bytes_per_token": "bytes of keys and values that one token adds to the cache",
}


@click.command("arch")
@click.argument("config", metavar="CONFIG.json", type=click.Path())
@click.option("--seq-len", type=int, default=4096, show_default=True, help="Tokens of a sequence, for scores.")
@click.option("--causal", is_flag=True, help="Count scores with earlier tokens only, not with all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def arch_command(config: str, seq_len: int, causal: bool, as_json: bool) -> None:
    """Parameters, work and memory of the model that a Hugging Face CONFIG.json describes.

    n_total is every weight; n_active are those used for one token, less the input embedding. Work
    includes attention scores, output layer and routers. Layers for multi-token prediction, and what
    reads images or sound, are not counted. Notes say what was assumed.

    \b
    Example: moelaws arch data/examples/config.json --seq-len 8192
    """
    report = hf_config.read(config).report(seq_len, causal=causal)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for name, unit in UNITS.items():
        click.echo(f"{name} = {report[name]:,}  ({unit})")
    for note in report["notes"]:
        click.echo(f"Note: {note}")
