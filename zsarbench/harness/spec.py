"""What a run is: the request as a user types it, and the frozen, complete spec that it resolves to.

An option of `zsarbench run` is declared once, as a field of `RunRequest`: the command line, the checks of its value and
the command that a result states follow from it. A field of the same name in `Measurement` or `Execution` receives it.
"""

from __future__ import annotations

import shlex
import typing
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, get_args

from zsarbench.errors import UsageError, unknown
from zsarbench.harness.values import taken
from zsarbench.interfaces import Control, Denominator
from zsarbench.plugins.parts import PartSpec
from zsarbench.protocols import Protocol

if TYPE_CHECKING:
    from zsarbench.interfaces import Dataset

CONTROLS: tuple[Control, ...] = get_args(Control)
DENOMINATORS: tuple[Denominator, ...] = get_args(Denominator)
DTYPES = ("float32", "bfloat16")
CLASS_TEXT_FORMS = ("name", "sentence", "sentences", "documents")
SEEN = "seen"
"""What `--train-on` calls the protocol's own seen classes; no data set may have this name."""

_COMMAND = ("zsarbench", "run")


# --- options ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RequestOption:
    """One option of a request as the command line takes it.

    type: of one value, `bool` for a flag without a value. multiple: it may be repeated; its value is a sequence.
    required: it has no default.
    choices: the known values, () for any. minimum: the smallest number. off: the flag that says the contrary, "" for
    none.
    """

    name: str
    flag: str
    type: type
    multiple: bool
    required: bool
    default: Any
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    off: str = ""


def _option(default: Any, help: str, **about: Any) -> Any:
    """Return a data class field that is an option; `about` are further fields of `RequestOption`."""
    return field(default=default, metadata={"help": help, **about})


def options_of(request: type) -> tuple[RequestOption, ...]:
    """Return the options of a request class in the order of its fields."""
    hints = typing.get_type_hints(request)
    options = []
    for item in fields(request):
        hint = hints[item.name]
        multiple = hint == Sequence[str]
        kind = next((kind for kind in (bool, int) if kind in (hint, *get_args(hint))), str)
        options.append(
            RequestOption(
                name=item.name,
                type=kind,
                multiple=multiple,
                required=item.default is MISSING,
                default=None if item.default is MISSING else item.default,
                **{"flag": "--" + item.name.replace("_", "-"), "help": "", **item.metadata},
            )
        )
    return tuple(options)


# --- requests ---------------------------------------------------------------------------------------------------------

_SETTINGS: dict[str, Any] = {
    "flag": "--set",
    "metavar": "PART.OPTION=VALUE",
    "help": "An option of a part; see: zsarbench show NAME.",
}
_CAPTIONS: dict[str, Any] = {
    "metavar": "DATASET=FILE",
    "help": "Your own captions of a data set's clips: CSV with the columns clip, caption, or JSON.",
}
_DATA_ROOT: dict[str, Any] = {"metavar": "DATASET=DIR", "help": "Your own files of a data set."}
_EXECUTOR: dict[str, Any] = {"help": "Executor that extracts features."}
_DEVICE: dict[str, Any] = {"help": "cpu, cuda, cuda:1, …"}
_DTYPE: dict[str, Any] = {"help": "Type of model weights and features.", "choices": DTYPES}
_THREADS: dict[str, Any] = {
    "help": "Compute threads; the last bits of scores depend on their number.  [default: all cores]",
    "minimum": 1,
}
_REFIT: dict[str, Any] = {
    "help": "Repeat finished measurements and fit from the beginning; --resume shows finished results and continues "
    "interrupted fits.  [default: --resume]",
    "off": "--resume",
}
_STRICT: dict[str, Any] = {"help": "Stop at the first clip that cannot be read."}


@dataclass(frozen=True)
class RunRequest:
    """The options of `zsarbench run`, unchecked; None leaves a choice to the protocol or the method.

    protocol: None is the one that a plugin declares the default. settings: "part.option=value" strings, where part is
    a kind (`method.joint_dim=64`, `visual.model=resnet18`). captions: "DATASET=FILE" strings. data_root: "DATASET=DIR"
    strings. train_on: "seen", the protocol's seen classes, or the name of another data set.
    """

    method: str = field(metadata={"help": "The method; see: zsarbench list method."})
    _: KW_ONLY
    protocol: str | None = _option(
        None, "A name or a protocol file.  [default: the one that `zsarbench list protocol` marks]"
    )
    visual: str | None = _option(None, "Visual encoder in place of the default one.")
    text: str | None = _option(None, "Text encoder in place of the default one.")
    negatives: str | None = _option(None, "Negative sampler in place of the default one.")
    loss: str | None = _option(None, "Loss in place of the default one.")
    settings: Sequence[str] = _option((), **_SETTINGS)
    seed: int = _option(0, "First training seed.", minimum=0)
    seeds: int = _option(1, "Number of training seeds.", minimum=1)
    train_on: str = _option(SEEN, "Data that the method learns from.", metavar="seen|DATASET")
    class_text: str | None = _option(
        None,
        "name, sentence, sentences, documents, or a file: CSV with the columns class, text, or JSON of texts by class; "
        "FORM:nearest-K takes the K sentences nearest to the class's name.",
        metavar="FORM",
    )
    captions: Sequence[str] = _option((), **_CAPTIONS)
    data_root: Sequence[str] = _option((), **_DATA_ROOT)
    device: str = _option("auto", **_DEVICE)
    dtype: str = _option("float32", **_DTYPE)
    threads: int | None = _option(None, **_THREADS)
    denominator: str = _option(
        "all", "Clips that count; survivors leaves out unreadable ones (flags the row).", choices=DENOMINATORS
    )
    control: str = _option(
        "none", "shuffle-captions or shuffle-labels: accuracy must drop to chance.", choices=CONTROLS, metavar="CONTROL"
    )
    limit: int | None = _option(None, "At most N clips per class (flags the row).", metavar="N", minimum=1)
    partial: bool = _option(False, "Measure although many clips are missing (the row is not ranked).")
    executor: str = _option("local", **_EXECUTOR)
    out: str = _option("results", "Folder for result files.")
    strict: bool = _option(False, **_STRICT)
    refit: bool = _option(False, **_REFIT)

    def to_command(self) -> str:
        """Return the command line that repeats the request elsewhere, without options of this machine (`Execution`)."""
        local = {item.name for item in fields(Execution)}
        words = list(_COMMAND)
        for option in options_of(RunRequest):
            value = getattr(self, option.name)
            values = list(value) if option.multiple else [] if value == option.default else [value]
            if option.name not in local:
                pairs = [(option.flag,) if one is True else (option.flag, str(one)) for one in values]
                words += [word for pair in pairs for word in pair]
        return shlex.join(words)

    @classmethod
    def from_command(cls, command: str) -> RunRequest:
        """Return the request of a command line that `to_command` wrote, as results state it.

        Raises:
            UsageError: it is another command, an option is unknown or lacks its value, or no method is named.
        """
        words = shlex.split(command)
        if tuple(words[:2]) != _COMMAND:
            raise UsageError(f"'{command}' is not a command of the form: zsarbench run --method NAME …")
        known = {option.flag: option for option in options_of(cls)}
        values: dict[str, Any] = {}
        rest = iter(words[2:])
        for flag in rest:
            if flag not in known:
                raise UsageError(unknown("option of run", flag, known))
            option = known[flag]
            word = "true" if option.type is bool else next(rest, None)
            if word is None or (option.type is int and not word.isdecimal()):
                raise UsageError(f"'{command}': {flag} takes a {'number' if option.type is int else 'value'}")
            value = option.type(word)
            values[option.name] = (*values.get(option.name, ()), value) if option.multiple else value
        if "method" not in values:
            raise UsageError(f"'{command}' names no method. Try: --method NAME (zsarbench list method)")
        return cls(**values)


def request(method: str, **arguments: Any) -> RunRequest:
    """Return a request of what Python has: a path is a text, a number of numpy one of Python, any sequence a tuple.

    Raises:
        UsageError: an argument does not exist; the message names the nearest.
    """
    options = {option.name: option for option in options_of(RunRequest)}
    typed = {option.flag.removeprefix("--"): option.name for option in options.values()}
    for name in arguments:
        if name not in options:
            if name in typed:
                raise UsageError(f"run has no argument '{name}'. Try: {typed[name]}=…")
            raise UsageError(unknown("argument of run", name, options))
    given = {name: (options[name], value) for name, value in {"method": method, **arguments}.items()}
    return RunRequest(**{name: taken(value, of.type, multiple=of.multiple) for name, (of, value) in given.items()})


@dataclass(frozen=True, kw_only=True)
class ExtractionRequest:
    """The options of `zsarbench features extract`, unchecked: the clips of a data set or of a protocol."""

    dataset: str | None = _option(None, "All clips of this data set.")
    protocol: str | None = _option(None, "The training and test clips of this protocol: a name or a protocol file.")
    visual: str = field(metadata={"help": "Visual encoder."})
    text: str | None = _option(None, "Text encoder, where the visual one reads through it.")
    settings: Sequence[str] = _option((), **_SETTINGS)
    captions: Sequence[str] = _option((), **_CAPTIONS)
    data_root: Sequence[str] = _option((), **_DATA_ROOT)
    executor: str = _option("local", **_EXECUTOR)
    device: str = _option("auto", **_DEVICE)
    dtype: str = _option("float32", **_DTYPE)
    threads: int | None = _option(None, **_THREADS)
    strict: bool = _option(False, **_STRICT)


# --- specs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What decides the scores of a run; nothing here depends on the machine.

    train_dataset: the other data set that is learnt from; None where it is the protocol's seen classes. partial: the
    run may use the clips that exist, however few; that is another measurement than one of all clips.
    captions: "DATASET=SHA256" of the user's own captions.
    A field that is added later takes a default, which keeps it out of the identity of earlier runs.
    """

    method: PartSpec
    protocol: Protocol
    protocol_hash: str
    dataset: PartSpec
    train_dataset: PartSpec | None
    parts: Mapping[str, PartSpec]
    seed: int
    seeds: int
    class_text: str
    dtype: str
    denominator: Denominator
    control: Control
    limit: int | None
    partial: bool = False
    captions: tuple[str, ...] = ()

    @property
    def train_on(self) -> str:
        """Where the method learns: "seen" or the name of a data set."""
        return self.train_dataset.name if self.train_dataset else SEEN

    def identity(self) -> dict[str, Any]:
        """Return the fields in JSON types: equal exactly where two runs must have the same scores."""
        values = {item.name: (getattr(self, item.name), item.default) for item in fields(self)}
        return {name: _in_json(value) for name, (value, default) in values.items() if value != default}


def _in_json(value: Any) -> Any:
    match value:
        case PartSpec():
            return value.identity()
        case Protocol():
            return value.name
        case Mapping():
            return {name: _in_json(value[name]) for name in sorted(value)}
        case _:
            return value


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a run is carried out on this machine; nothing here changes the scores, except for their last bits.

    data_root: the user's folders by data set. executor: where features are extracted. out: folder of the result.
    strict: stop at the first clip that cannot be read. refit: repeat finished measurements and fit from the
    beginning; else interrupted fits continue.
    """

    data_root: Mapping[str, str]
    device: str
    threads: int | None
    executor: PartSpec
    out: str
    strict: bool
    refit: bool


@dataclass(frozen=True)
class DataSets:
    """The data sets of a run, built once: the one that is tested, and the other one that is learnt from."""

    tested: Dataset
    learnt: Dataset | None = None


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A run with all names known, options complete, and the protocol checked against its data set.

    command: what repeats it elsewhere. objections: why plugins hold that its result must not be ranked.
    """

    what: Measurement
    where: Execution
    data: DataSets = field(repr=False, compare=False)
    command: str
    objections: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExtractionSpec:
    """An extraction with all names known: a protocol's training and test clips, or all clips of a data set.

    parts: visual, and text where the visual one reads through it. data: the data set, built.
    """

    dataset: PartSpec
    data: Dataset = field(repr=False, compare=False)
    protocol: Protocol | None
    parts: Mapping[str, PartSpec]
    executor: PartSpec
    device: str
    dtype: str
    threads: int | None
    strict: bool


def shared_fields(request: RunRequest | ExtractionRequest, spec: type) -> dict[str, Any]:
    """Return the values of a request that go into the fields of the same name of a spec."""
    names = {item.name for item in fields(spec)}
    return {item.name: getattr(request, item.name) for item in fields(request) if item.name in names}
