"""``benchsuite``: the group of verbs, each imported when it is called and not before."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from benchsuite._version import __version__
from benchsuite.errors import BenchsuiteError, PluginError

VERBS: dict[str, tuple[str, str]] = {
    "run": ("benchsuite.cli.run:run", "Take a model to a dataset: predict, score, store, show."),
    "train": ("benchsuite.cli.train:train", "Train a model as a recipe says."),
    "eval": ("benchsuite.cli.eval:eval_", "Score predictions that lie in files."),
    "compare": ("benchsuite.cli.compare:compare", "Hold two results against each other, paired."),
    "bench": ("benchsuite.cli.bench:bench", "Measure a model: latency, throughput, memory."),
    "reproduce": (
        "benchsuite.cli.reproduce:reproduce",
        "Hold a run against the published number.",
    ),
    "predict": ("benchsuite.cli.predict:predict", "Run a model on images: JSON and pictures."),
    "report": ("benchsuite.cli.report:report", "Draw the leaderboards from the stored results."),
    "data": ("benchsuite.cli.data:data", "Fetch, verify and describe datasets."),
    "list": ("benchsuite.cli.list:list_", "List models, datasets, metrics, recipes, plugins."),
    "doctor": ("benchsuite.cli.doctor:doctor", "Say what is installed, found and in use."),
    "completion": ("benchsuite.cli.completion:completion", "Print a shell completion script."),
}
"""Verb to the import string of its command and its line in ``--help``."""

EPILOG = """\b
Examples:
  benchsuite run --model mask_rcnn --dataset shapes
  benchsuite eval --dataset instances.json --predictions results.json --task bbox
  benchsuite list models

Exit codes: 0 ok, 1 failed, 2 usage, 3 tolerance missed, 4 data missing, 130 interrupted.
"""


class Verbs(click.Group):
    """The verbs of this project and those that plugins register."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, *sorted(set(_plugin_commands()) - set(VERBS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from benchsuite.specs import load

        if cmd_name in VERBS:
            command: click.Command = load(VERBS[cmd_name][0])
            return command
        spec = _plugin_commands().get(cmd_name)
        if spec is None:
            return None
        from benchsuite.resolve import use

        registered: click.Command = use(spec.factory, f"command {cmd_name!r}")
        if not isinstance(registered, click.Command):
            raise PluginError(f"command {cmd_name!r}: {spec.factory} is no click.Command")
        return registered

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from benchsuite.errors import unknown_name

        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise unknown_name("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Click would import every verb for its help line; the lines are at hand.
        rows = [(name, summary) for name, (_, summary) in VERBS.items()]
        rows += [(n, s.summary) for n, s in sorted(_plugin_commands().items()) if n not in VERBS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _plugin_commands() -> dict[str, Any]:
    from benchsuite.plugins import registry

    return registry().commands


@click.group(cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="benchsuite")
def benchsuite() -> None:
    """Take a detector to a dataset and come back with a number one can trust."""


def main(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code (see ``benchsuite.errors``)."""
    # Threads that wait by spinning bring a shared machine to a halt: with four threads on four busy
    # cores the slowest forward of Mask R-CNN took 2 to 3 s so, and 74 ms where they sleep. OpenMP
    # reads this when torch is imported; whoever has set it knows better.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        returned = benchsuite.main(args=args, prog_name="benchsuite", standalone_mode=False)
    except BenchsuiteError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`benchsuite list | head`): no error of ours.
        sys.stdout = None
        return 0
    return returned if isinstance(returned, int) else 0


if __name__ == "__main__":
    sys.exit(main())
