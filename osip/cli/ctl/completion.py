"""`osipctl completion`: what a shell has to read to complete verbs, options and the running server's commands."""
from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from osip.cli.output import fail

SHELLS = ("bash", "zsh", "fish")
WHERE = {"bash": 'put  eval "$(osipctl completion bash)"  into ~/.bashrc',
         "zsh": 'put  eval "$(osipctl completion zsh)"  into ~/.zshrc, behind compinit',
         "fish": "osipctl completion fish > ~/.config/fish/completions/osipctl.fish"}


@click.command(epilog="To keep it: " + "; ".join(WHERE.values()) + ".")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion for a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        fail(f"no completion for {shell}")
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "osipctl", "_OSIPCTL_COMPLETE").source_template % {
        "complete_func": "_osipctl_completion", "complete_var": "_OSIPCTL_COMPLETE", "prog_name": "osipctl"})
