"""From a result file of another program to a reported row, placed by the clips that it was measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zsarbench.errors import UsageError
from zsarbench.predictions.foreign_results import WHAT, Figure, read_figure
from zsarbench.predictions.placing import place
from zsarbench.results import reported, revisions
from zsarbench.utils import text_files
from zsarbench.utils.documents import MAX_BYTES
from zsarbench.utils.foreign import sha256_of

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registry
    from zsarbench.results.revisions import Revision


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """The options of `zsarbench result import`, unchecked.

    clips: a file of the clips of the split, a line each; None: not known. protocol: the one to compare them with; None:
    any. split: None is the only one. train: what it was trained on, in words.
    """

    file: Path
    name: str
    clips: Path | None = None
    protocol: str | None = None
    split: str | None = None
    train: str = reported.NOT_STATED
    data_root: Sequence[str] = ()
    settings: Sequence[str] = ()


def reported_row(request: ImportRequest, registry: Registry) -> str:
    """Return the text of a file of reported figures with the figure of a result file.

    Raises:
        UsageError: it cannot be placed: its clips are not listed, are another number than its data set has, or are the
            test clips of no one protocol.
        ZsarbenchError: a file is damaged, or the data of a protocol is malformed.
    """
    figure = read_figure(request.file, request.split)
    revision = revisions.find(figure.revision, figure.split)
    listed = _listed(request, figure, revision)
    placed = place(
        listed,
        registry,
        protocol=request.protocol,
        n_classes=None if revision is None else revision.n_classes,
        data_root=request.data_root,
        settings=request.settings,
    )
    return reported.text_of(
        {
            "protocol": placed.protocol,
            "method": request.name,
            "metric": "top1_per_video",
            "value": figure.top1,
            "train": request.train,
            "paper": figure.program,
            "table": f"task {figure.task}, split {figure.split}",
            "evidence": "F",
            "source": f"{request.file.name} (sha256 {sha256_of(request.file, WHAT, MAX_BYTES)[:8]})",
            "notes": f"Placed by its {len(listed):,} clips; its data set is of revision {figure.revision[:10]}.",
        }
    )


def _listed(request: ImportRequest, figure: Figure, revision: Revision | None) -> list[str]:
    """Return the distinct clips that the user lists.

    Raises:
        UsageError: there is no list, or its number of clips is not that of the data set's revision.
    """
    held = revision.in_words() if revision else f"a data set of the unknown revision '{figure.revision:.10}'"
    of = f"{request.file.name} is of {held}"
    if revision and revision.samples != "clips":
        raise UsageError(f"{of}: its figure is over {revision.samples}, and no protocol scores these")
    if request.clips is None:
        raise UsageError(
            f"{of}; which clips these are it does not say, and the name of its task, '{figure.task:.80}', does not "
            "decide it. Try: --clips FILE, one clip per line"
        )
    lines = text_files.names(request.clips, "list of clips")
    listed = list(dict.fromkeys(lines))
    if not listed:
        raise UsageError(f"list of clips {request.clips} is empty; it needs one clip per line")
    if revision and revision.n_samples not in (len(lines), len(listed)):
        raise UsageError(f"{of}; {request.clips} lists {len(lines):,} clips, so it is of another data set")
    return listed
