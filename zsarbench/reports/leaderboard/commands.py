"""Whether the command of a result, which readers type, is one of zsarbench and says what its spec says."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zsarbench.errors import ZsarbenchError
from zsarbench.harness.spec import RunRequest
from zsarbench.predictions import identity
from zsarbench.results import RunResult
from zsarbench.results.verification import shortened


def command_problems(result: RunResult) -> Iterator[str]:
    """Yield what the command of a run says otherwise than its spec; what it leaves to defaults is not looked at."""
    verbs = ("score", "ask") if identity.is_of_predictions(result) else ("run",)
    try:
        words = shlex.split(result.command)
    except ValueError as error:
        yield f"its command cannot be read: {error}"
        return
    is_known = words[:1] == ["zsarbench"] and len(words) > 1 and words[1] in verbs
    if not is_known or shlex.join(words) != result.command:  # a second command, or one that a shell would put in
        yield f"its command is not 'zsarbench {verbs[0]} …', quoted for a shell: {shortened(result.command)}"
        return
    if verbs != ("run",):
        yield from _score_command_problems(result, words)
        return
    try:
        request = RunRequest.from_command(result.command)
    except (ZsarbenchError, ValueError) as error:
        yield f"its command cannot be read: {error}"
        return
    spec = result.spec
    values = {"method": spec.get("method"), "dataset": spec.get("dataset"), **spec.get("parts", {})}
    options = {kind: part.get("options", {}) for kind, part in values.items() if isinstance(part, Mapping)}
    stated: dict[str, Any] = {kind: name_of(part) for kind, part in values.items()}
    stated |= {name: spec.get(name) for name in ("seed", "seeds", "dtype", "denominator", "control", "limit")}
    for name, value in stated.items():
        requested = getattr(request, name, None)
        if requested is not None and name != "dataset" and requested != value:
            yield f"its command has {name} {shortened(requested)}, but the spec holds {shortened(value)}"
    for setting in request.settings:
        place, _, text = setting.partition("=")
        kind, _, option = place.partition(".")
        found = options.get(kind, {})
        if option not in found or not _same_value(text, found[option]):
            held = shortened(found[option]) if option in found else "none"
            yield f"its command sets {shortened(setting)}, but the spec holds {held}"


def _score_command_problems(result: RunResult, words: Sequence[str]) -> Iterator[str]:
    """Yield what the command that scored predictions names otherwise than the result; a protocol may be a file's."""
    names = {"--name": result.method.name, "--protocol": result.protocol.name}
    for option, name in names.items():
        stated = words[words.index(option) + 1 :][:1] if option in words else [name]
        if stated != [name] and not (option == "--protocol" and stated and stated[0].endswith(".toml")):
            yield f"its command has {option} {shortened(' '.join(stated))}, but it is of '{shortened(name)}'"


def _same_value(text: str, value: Any) -> bool:
    """Return whether the text of an option on a command line is its value in a spec."""
    if value is None:
        return text.lower() in ("none", "null")
    if isinstance(value, bool):
        return text.lower() in (("true", "yes", "1") if value else ("false", "no", "0"))
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except ValueError:
            return False
    if isinstance(value, list | tuple):
        items = text.split(",") if text else []
        return len(items) == len(value) and all(map(_same_value, items, value))
    return text == str(value)


def name_of(part: Any) -> str:
    """Return the name of a part of a spec, which may be a name alone."""
    return str(part.get("name")) if isinstance(part, Mapping) else str(part)
