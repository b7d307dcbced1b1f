"""The command line: each command is one call of the package."""

import errno
import json
import os
from typing import Any

import click

# Fits are many products of small matrices, in which a second thread only waits for the first: on a
# busy machine it makes them fifty times slower. This has to be said before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from moelaws.cli import allocate as cli_allocate
from moelaws.cli import arch as cli_arch
from moelaws.cli import claims as cli_claims
from moelaws.cli import data as cli_data
from moelaws.cli import design as cli_design
from moelaws.cli import fits as cli_fits
from moelaws.cli import isoflop as cli_isoflop
from moelaws.cli import laws as cli_laws
from moelaws.cli import new_chapter as cli_new_chapter
from moelaws.cli.output import printable
from moelaws.errors import InputError


class _Mistake(click.ClickException):
    exit_code = 2

    def __init__(self, message: str, as_json: bool) -> None:
        super().__init__(printable(message).replace("\n", " "))
        self.as_json = as_json

    def show(self, file: Any = None) -> None:
        if self.as_json:
            click.echo(json.dumps({"error": self.message}, ensure_ascii=False), file, err=True)
        else:
            super().show(file)


class _Commands(click.Group):
    """Turns a user's mistake into one sentence and exit code 2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["json"] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise _Mistake(str(error), ctx.meta["json"]) from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            raise _Mistake(f"The output cannot be written ({error.strerror}).", ctx.meta["json"]) from None
        except KeyboardInterrupt:
            raise _Mistake("Interrupted; no file was left half-written.", ctx.meta["json"]) from None
        except click.UsageError as error:
            if ctx.meta["json"]:
                raise _Mistake(error.format_message(), as_json=True) from None
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="moelaws")
def main() -> None:
    """Scaling and serving laws of mixture-of-experts language models."""


for command in (
    cli_arch.arch_command,
    cli_claims.claims_command,
    cli_data.data_command,
    cli_fits.fit_command,
    cli_fits.fit_serving_command,
    cli_fits.predict_command,
    cli_fits.compare_command,
    cli_allocate.allocate_command,
    cli_isoflop.isoflop_command,
    cli_design.plan_command,
    cli_design.suggest_command,
    cli_laws.laws_command,
    cli_new_chapter.new_chapter_command,
):
    main.add_command(command)
