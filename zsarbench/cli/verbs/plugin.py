"""`zsarbench plugin`: write a distribution of a plugin to start from."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

import click

from zsarbench.cli.toolkit import echo
from zsarbench.errors import UsageError

TEMPLATE = Path(__file__).parents[1] / "plugin-template"
KINDS = ("method", "loss", "visual", "text", "negatives", "dataset", "protocol", "reporter")
COMMANDS = {
    "method": "zsarbench run --method my-plugin --protocol sketch/compositional",
    "loss": "zsarbench run --method cezsar --loss my-plugin",
    "visual": "zsarbench run --method eszsl --visual my-plugin --protocol sketch/compositional",
    "text": "zsarbench run --method nearest-text --visual captions --text my-plugin --protocol sketch/compositional",
    "negatives": "zsarbench run --method cezsar --negatives my-plugin",
    "dataset": "zsarbench data lint my-plugin",
    "protocol": "zsarbench run --method nearest-text --protocol my-plugin/unseen",
    "reporter": "zsarbench compare results --format my-plugin",
}
"""For each kind, a command that uses it."""
FILES = {"visual": ("frames.py", "visual.py"), "dataset": ("dataset.py", "data"), "protocol": ("protocols",)}
"""What a kind needs of the template's package, where that is not one file of its name."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@click.group("plugin", short_help="Write a plugin to start from.")
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
@click.option("--out", type=click.Path(path_type=Path), help="The folder that is made; default: NAME.")
def new(name: str, out: Path | None, **chosen: bool) -> None:
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
        UsageError: the name cannot be that of a distribution, a component and a module.
    """
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(module):
        raise UsageError(
            f"plugin name '{name}' is not one of a letter, then letters in lower case, digits and single hyphens. "
            "Try: zsarbench plugin new fast-zsl"
        )
    if module in sys.stdlib_module_names or module.startswith("zsarbench"):
        raise UsageError(f"plugin name '{name}' would hide the module '{module}'. Try: another name")
    return module


def _files(name: str, module: str, kinds: list[str]) -> dict[str, str]:
    """Return the text of each file of the distribution, by its path in there."""
    wanted = {part for kind in kinds for part in FILES.get(kind, (f"{kind}.py",))} | {"__init__.py"}
    files = {}
    for path in sorted(TEMPLATE.rglob("*")):
        place = path.relative_to(TEMPLATE)
        inside = place.parts[0] == "my_plugin"
        if not path.is_file() or "__pycache__" in place.parts or (inside and place.parts[1] not in wanted):
            continue
        target = ".github/workflows/tests.yml" if place.name == "workflow.yml" else place.as_posix()
        text = path.read_text(encoding="utf-8")
        if place.name == "__init__.py":
            text = _only(text, kinds)
        text = text.replace("COMMANDS", "\n".join(COMMANDS[kind] for kind in kinds))
        files[_renamed(target, name, module)] = _renamed(text, name, module)
    return files


def _only(text: str, kinds: list[str]) -> str:
    """Return the text without the blocks of other kinds, and without the marks of all."""
    for kind in KINDS:
        block = re.compile(rf" *# <{kind}>\n(.*?) *# </{kind}>\n", re.DOTALL)
        text = block.sub(lambda found: found[1] if kind in kinds else "", text)  # noqa: B023 - used at once
    return text


def _renamed(text: str, name: str, module: str) -> str:
    return text.replace("my_plugin", module).replace("my-plugin", name)
