"""Every command has a complete help with an example."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from entrypoints.cli.app import app


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and every group of commands with its words on the command line."""
    yield words, command
    for name, subcommand in getattr(command, "commands", {}).items():
        yield from commands(subcommand, (*words, name))


COMMANDS = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS], ids=lambda words: " ".join(words) or "storyledger")
def test_every_help_ends_with_an_example_of_that_command(words: tuple[str, ...]):
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    _, has_example, example = " ".join(result.output.split()).rpartition("Example: storyledger ")
    assert has_example
    assert tuple(shlex.split(example)[: len(words)]) == words


def test_no_summary_in_a_list_of_commands_is_cut_off():
    for words, command in COMMANDS[1:]:
        assert not command.get_short_help_str().endswith("..."), words
