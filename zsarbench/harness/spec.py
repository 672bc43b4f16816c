"""What a run is: the request as a user types it, and the frozen, complete spec that it resolves to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from zsarbench.errors import UsageError, unknown
from zsarbench.plugins.parts import PartSpec

if TYPE_CHECKING:
    from zsarbench.protocols import FileProtocol

Control = Literal["none", "shuffle-captions", "shuffle-labels"]
Denominator = Literal["all", "survivors"]
CONTROLS: tuple[Control, ...] = get_args(Control)
DENOMINATORS: tuple[Denominator, ...] = get_args(Denominator)
DTYPES = ("float32", "bfloat16")
CLASS_TEXT_FORMS = ("name", "sentence", "sentences", "documents")


@dataclass(frozen=True)
class RunRequest:
    """What a user asks for: the options of `zsarbench run`, unchecked; None leaves it to the protocol or the method.

    protocol: None is the one that a plugin declares the default. settings: "part.option=value" strings, part being a
    kind (`method.joint_dim=64`, `visual.model=resnet18`). data_root: "DATASET=DIR" strings. train_on: "seen", the
    protocol's seen classes, or the name of another data set.
    """

    method: str
    protocol: str | None = None
    visual: str | None = None
    text: str | None = None
    negatives: str | None = None
    loss: str | None = None
    settings: Sequence[str] = ()
    seed: int = 0
    seeds: int = 1
    train_on: str = "seen"
    class_text: str | None = None
    data_root: Sequence[str] = ()
    device: str = "auto"
    dtype: str = "float32"
    threads: int | None = None
    denominator: str = "all"
    control: str = "none"
    limit: int | None = None
    executor: str = "local"
    out: str = "results"
    strict: bool = False
    resume: bool = False


@dataclass(frozen=True)
class RunSpec:
    """A run that exists: names known, options complete, protocol checked against its data set."""

    method: PartSpec
    protocol: FileProtocol
    protocol_hash: str
    dataset: PartSpec
    train_dataset: PartSpec | None
    parts: Mapping[str, PartSpec]
    seed: int
    seeds: int
    class_text: str
    data_roots: Mapping[str, str]
    device: str
    dtype: str
    threads: int | None
    denominator: Denominator
    control: Control
    limit: int | None
    executor: PartSpec
    out: str
    strict: bool
    resume: bool
    command: str
    objections: tuple[str, ...] = ()

    @property
    def train_on(self) -> str:
        """Where the method learns: "seen" or the name of a data set."""
        return self.train_dataset.name if self.train_dataset else "seen"

    def identity(self) -> dict[str, Any]:
        """Return what decides the scores, in JSON types: no folder, device or executor of one machine."""
        return {
            "method": self.method.identity(),
            "protocol": self.protocol.name,
            "protocol_hash": self.protocol_hash,
            "dataset": self.dataset.identity(),
            "train_dataset": self.train_dataset.identity() if self.train_dataset else None,
            "parts": {kind: part.identity() for kind, part in sorted(self.parts.items())},
            "seed": self.seed,
            "seeds": self.seeds,
            "class_text": self.class_text,
            "dtype": self.dtype,
            "denominator": self.denominator,
            "control": self.control,
            "limit": self.limit,
        }


def request(method: str, **given: Any) -> RunRequest:
    """Return a RunRequest, or name the nearest argument where one does not exist."""
    known = {item.name for item in fields(RunRequest)}
    for name in given:
        if name not in known:
            raise UsageError(unknown("argument of run", name, known))
    return RunRequest(method, **given)


_OF_THIS_MACHINE = ("data_root", "out", "executor", "resume", "strict", "threads", "device")


def command_of(asked: RunRequest) -> str:
    """Return the command line that repeats a request elsewhere: without folders and devices of this machine."""
    words = ["zsarbench", "run", "--method", asked.method]
    for item in fields(RunRequest):
        value = getattr(asked, item.name)
        if item.name == "method" or item.name in _OF_THIS_MACHINE or value in (item.default, [], ()):
            continue
        flag = "--set" if item.name == "settings" else "--" + item.name.replace("_", "-")
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [flag, str(one)]
    return shlex.join(words)
