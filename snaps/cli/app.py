"""All commands."""

from typing import Annotated

import typer

import snaps
from snaps.cli import corpus
from snaps.cli.align import align
from snaps.cli.cluster import cluster
from snaps.cli.compare import compare
from snaps.cli.faithfulness import faithfulness
from snaps.cli.profile import profile
from snaps.cli.report import report
from snaps.cli.reproduce import reproduce
from snaps.cli.train import train

#: What a shell calls the end by an interruption, and Typer's exit status after one.
INTERRUPTED = 130

app = typer.Typer(
    name="snaps",
    help="Saliency-adjusted neuron activation profiles of speech networks: from a corpus to clustermaps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(corpus.app, name="corpus")
for command in (train, profile, align, faithfulness, cluster, compare, report, reproduce):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(snaps.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


def run(arguments: list[str]) -> int:
    """Run one command; options that do not exist or are no numbers give exit status 2."""
    try:
        typer.main.get_command(app).main(arguments, prog_name="snaps")
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0
        if status == INTERRUPTED:
            raise KeyboardInterrupt from None
        return status
    return 0
