"""`zsarbench plugin`: write a distribution of a plugin to start from."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from pathlib import Path

import click

from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import Group, echo, host_of
from zsarbench.errors import UsageError
from zsarbench.plugins import Host
from zsarbench.plugins.registry import RESERVED

TEMPLATE = Path(__file__).parents[1] / "plugin-template"
KINDS = ("method", "loss", "visual", "text", "negatives", "dataset", "protocol", "reporter")
FILES = {"visual": ("frames.py", "visual.py"), "dataset": ("dataset.py", "data"), "protocol": ("protocols",)}
"""What a kind needs of the template's package, where that is not one file of its name."""
OF_TOOLS = ("tests", "conftest", "setup", "src", "dist")
"""Names that the written tests, pytest and builds give another meaning to in a distribution's folder."""
MAX_LENGTH = 64
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@click.group("plugin", cls=Group, short_help="Write a plugin to start from.")
def command() -> None:
    """Write the distribution of a plugin to start from.

    \b
    Example:
      zsarbench plugin new fast-zsl --method --loss
    """


@command.command("new")
@click.argument("name")
@click.option("--method", is_flag=True, help="A method.")
@click.option("--loss", is_flag=True, help="A loss.")
@click.option("--visual", is_flag=True, help="A visual encoder.")
@click.option("--text", is_flag=True, help="A text encoder.")
@click.option("--negatives", is_flag=True, help="A negative sampler.")
@click.option("--dataset", is_flag=True, help="A data set: a CSV file with captions.")
@click.option("--protocol", is_flag=True, help="A protocol file.")
@click.option("--reporter", is_flag=True, help="A reporter.")
@click.option("--out", type=Place(), help="The folder to create; default: NAME.")
@click.pass_context
def new(ctx: click.Context, /, name: str, out: Path | None, **chosen: bool) -> None:
    """Write a complete distribution: working components of the chosen kinds, tests, a workflow, a README.

    Without a kind, a method and a loss.

    \b
    Examples:
      zsarbench plugin new fast-zsl --method
      zsarbench plugin new my-videos --dataset --protocol --out ~/my-videos
    """
    kinds = [kind for kind in KINDS if chosen[kind]] or ["method", "loss"]
    folder = Path(name) if out is None else out
    module = _module(name)
    _check_free(name, module, kinds, host_of(ctx))
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty. Try: --out FOLDER, or another name")
    try:
        for path, text in _files(name, module, kinds).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}. Try: --out FOLDER") from error
    echo(f"wrote {folder}: {', '.join(kinds)}. Try: pip install -e '{folder}[tests]' && zsarbench check {name}")


def _module(name: str) -> str:
    """Return the name of the package.

    Raises:
        UsageError: the name cannot be that of a distribution, a component and a module, or tools take it otherwise.
    """
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(module):
        raise UsageError(
            f"plugin name '{name}' must be a lower-case letter, then lower-case letters, digits and hyphens. "
            "Try: zsarbench plugin new fast-zsl"
        )
    if len(name) > MAX_LENGTH or name in OF_TOOLS:
        why = "means something else to the tools that build and test it"
        why = f"is longer than {MAX_LENGTH} characters" if len(name) > MAX_LENGTH else why
        raise UsageError(f"plugin name '{name[:MAX_LENGTH]}' {why}. Try: another name")
    return module


def _check_free(name: str, module: str, kinds: list[str], host: Host) -> None:
    """Raise where the plugin would get in the way of what is installed, unless that is the plugin itself.

    Raises:
        UsageError: a plugin, a module, or a component of one of the kinds has the name already.
    """
    own = False
    for entry in host.registry:
        if entry.target.partition(":")[0].partition(".")[0] == module:
            own = True
        elif entry.plugin == name or (entry.name == name and entry.kind in kinds):
            raise UsageError(
                f"plugin name '{name}' is taken: {entry.kind} '{entry.name}' is of plugin '{entry.plugin}'. "
                "Try: another name"
            )
    if reserved := [kind for kind in kinds if name in RESERVED.get(kind, ())]:
        raise UsageError(f"plugin name '{name}' cannot be that of a {reserved[0]}. Try: another name")
    spec = None if own else importlib.util.find_spec(module)
    if module in sys.stdlib_module_names or module.startswith("zsarbench") or (spec is not None and spec.origin):
        raise UsageError(f"plugin name '{name}' would hide the module '{module}'. Try: another name")


def _files(name: str, module: str, kinds: list[str]) -> dict[str, str]:
    """Return the text of each file of the distribution, by its path."""
    wanted = {part for kind in kinds for part in FILES.get(kind, (f"{kind}.py",))} | {"__init__.py"}
    files = {}
    for path in sorted(TEMPLATE.rglob("*")):
        place = path.relative_to(TEMPLATE)
        inside = place.parts[0] == "my_plugin"
        if not path.is_file() or "__pycache__" in place.parts or (inside and place.parts[1] not in wanted):
            continue
        target = ".github/workflows/tests.yml" if place.name == "workflow.yml" else place.as_posix()
        text = path.read_text(encoding="utf-8")
        files[_renamed(target, name, module)] = _renamed(_only(text, kinds), name, module)
    return files


def _only(text: str, kinds: list[str]) -> str:
    """Return the text without the blocks of other kinds, and without the marks of all."""
    for kind in KINDS:
        block = re.compile(rf" *# <{kind}>\n(.*?) *# </{kind}>\n", re.DOTALL)
        text = block.sub(lambda found: found[1] if kind in kinds else "", text)  # noqa: B023 - used at once
    return text


def _renamed(text: str, name: str, module: str) -> str:
    return text.replace("my_plugin", module).replace("my-plugin", name)
