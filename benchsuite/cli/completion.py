"""``benchsuite completion``: the script a shell sources to complete names."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    Example:
      eval "$(benchsuite completion bash)"
    """
    from click.shell_completion import get_completion_class

    from benchsuite.cli.main import benchsuite

    found = get_completion_class(shell)
    assert found is not None  # click has all three
    click.echo(found(benchsuite, {}, "benchsuite", "_BENCHSUITE_COMPLETE").source())
