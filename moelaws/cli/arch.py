"""The command ``arch``: what a model costs, from its ``config.json``."""

import click

from moelaws.cli.output import echo, echo_json, json_option
from moelaws.models import huggingface
from moelaws.models.storage import BYTES


@click.command("arch")
@click.argument("configs", metavar="CONFIG.json|FOLDER...", type=click.Path(), nargs=-1, required=True)
@click.option("--seq-len", type=int, default=4096, show_default=True, help="Tokens of a sequence, for scores.")
@click.option("--causal", is_flag=True, help="Count scores with earlier tokens only, not with all.")
@click.option("--kv-len", type=int, help="Tokens of a sequence, for its cache; by default those of --seq-len.")
@click.option("--dtype", type=click.Choice(list(BYTES)), help="Type of weights and cache, whatever the file says.")
@json_option
def arch_command(
    configs: tuple[str, ...], seq_len: int, causal: bool, kv_len: int | None, dtype: str | None, as_json: bool
) -> None:
    """Parameters, work and memory of the models that Hugging Face's CONFIG.json files describe.

    A FOLDER is a model's repository: its config.json is read, and the index of its weights is held against
    the counts. Several models are shown as a table. n_total is every weight; n_active are those used for
    one token, less the input embedding. Work includes attention scores, output layer and routers. Layers
    for multi-token prediction, and what reads images or sound, are not counted. Notes say what was assumed.

    \b
    Example: moelaws arch data/examples/config.json --seq-len 8192
    """
    models = {
        path: huggingface.model(path, seq_len=seq_len, causal=causal, kv_len=kv_len, dtype=dtype) for path in configs
    }
    if as_json:
        reports = [{"config": path, **model.report()} for path, model in models.items()]
        echo_json(reports if len(configs) > 1 else models[configs[0]].report())
    elif len(models) == 1:
        echo(str(models[configs[0]]))
    else:
        width = max(map(len, models))
        echo("  ".join([" " * width, *huggingface.UNITS]))
        for path, model in models.items():
            cells = (f"{getattr(model, name):>{len(name)}.4g}" for name in huggingface.UNITS)
            echo("  ".join([path.ljust(width), *cells]))
        for path, model in models.items():
            for note in model.report()["notes"]:
                echo(f"Note on {path}: {note}")
