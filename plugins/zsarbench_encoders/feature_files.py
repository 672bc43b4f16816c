"""Features that others computed: one `.npy` file a video, as the CEZSAR release distributes them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zsarbench.errors import UsageError
from zsarbench.interfaces import Clips, ClipSource, Sampling, Steps
from zsarbench.utils.array_files import map_array, read_header

from .file_index import FileIndex, Match
from .preparation import ColourOrder

if TYPE_CHECKING:
    from torch import Tensor

DIM = 4096  # features of a row: BiT-M-R152x2, pooled; valterlej/cezsar, stage 1
FLOATS = ("float16", "float32", "float64")
EDGE_BYTES = 4096  # of a file's start and end enter the fingerprint: whole files would be 34 GB for Kinetics-400

ClassifierName = Literal["bit-m-r152x2", "efficientnet-lite0"]


class FeatureFiles:
    """Reads `<video>.npy` of shape (T, D), a row a second, from a folder and its folders; the store takes them in.

    A clip is the file of its own id; or else it is cut out of its video's file: the rows from its start to its end.
    Files lie flat, or in folders as the clips do. A clip without a sound file counts as one that cannot be read, with
    its reason.

    folder: where the files lie, those of all data sets of a run. dim: D of every file.
    frames_per_second: rows a second; the release has one.
    max_steps: rows of a clip that are kept, from its start on.
    colour_order: of the frames that the features were made of, which nothing here can change; None: not known. The
        release's are "bgr".
    classifier: the encoder whose classifier reads these features, for methods that reason with objects; its weights are
        loaded on first use. weights: a file used in place of its download.
    """

    needs: Literal["features"] = "features"
    space = None

    def __init__(
        self,
        *,
        folder: Path | None = None,
        dim: int = DIM,
        frames_per_second: float = 1.0,
        max_steps: int = 16,
        colour_order: ColourOrder | None = None,
        classifier: ClassifierName | None = None,
        weights: str | None = None,
    ) -> None:
        self.folder = folder
        self.dim = dim
        self.frames_per_second = frames_per_second
        self.max_steps = max_steps
        self.colour_order = colour_order
        self.classifier = classifier
        self.weights = weights
        self.sampling = Sampling(frames_per_second, max_steps)
        self._index = FileIndex(Path(folder).expanduser()) if folder is not None else None
        self._problems, sha256 = self._examined()
        self.fingerprint = {"files_sha256": sha256}

    def encode(self, clips: Clips) -> Steps:
        """Return (N, T, D) float32, T the most rows of a clip; why a clip has none is in `reasons`.

        Raises:
            UsageError: no folder was named.
        """
        import torch

        self._check_folder()
        if clips.sources is None:
            raise ValueError("the sources of the clips are needed")
        loaded = [self._rows(source) for source in clips.sources]
        rows = [np.zeros((0, self.dim), np.float32) if isinstance(one, str) else one for one in loaded]
        counts = torch.tensor([len(one) for one in rows])
        mask = torch.arange(max(1, int(counts.max()))) < counts[:, None]
        values = torch.zeros(*mask.shape, self.dim)
        for place, one in zip(values, rows, strict=True):
            place[: len(one)] = torch.from_numpy(one)
        reasons = {clip: why for clip, why in zip(clips.ids, loaded, strict=True) if isinstance(why, str)}
        return Steps(values, mask, reasons)

    def check_sources(self, sources: Sequence[ClipSource]) -> None:
        """Refuse clips of which none has a file, or of which two would be given the same one.

        Raises:
            UsageError: it is so.
        """
        if self._index is not None:
            self._index.check(sources)

    def finds(self, source: ClipSource) -> bool:
        """Return whether a clip, or the video that it is cut out of, has a file.

        Raises:
            UsageError: no folder was named.
        """
        self._check_folder()
        return self._index is not None and isinstance(self._index.find(source), Match)

    def _check_folder(self) -> None:
        if self.folder is None:
            raise UsageError("visual 'feature-files' reads a folder of .npy files. Try: --set visual.folder=FOLDER")

    @property
    def _files(self) -> Mapping[str, Path]:
        return self._index.files if self._index is not None else {}

    def _rows(self, source: ClipSource) -> np.ndarray | str:
        """Return the rows (t, D) float32 of a clip, or why it has none."""
        match = self._index.find(source) if self._index is not None else "no folder was named"
        if isinstance(match, str):
            return match
        if match.name in self._problems:
            return self._problems[match.name]
        try:
            stored = map_array(self._files[match.name])
        except (OSError, ValueError) as error:
            return f"its file cannot be read: {error}"
        first, last = (0, len(stored)) if match.whole else self._span(source, len(stored))
        if first >= len(stored):
            return "it starts after the end of its video's file"
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which the next line names
            rows: np.ndarray = np.array(stored[first : min(last, first + self.max_steps)], dtype=np.float32)
        return rows if np.isfinite(rows).all() else "its file holds values that are not finite"

    def _span(self, source: ClipSource, n_rows: int) -> tuple[int, int]:
        """Return the rows whose times lie in the clip; of a clip between two rows, the one before it.

        The files of the release hold the whole seconds of a video, so the last row stands for what is left over.
        """
        start = (source.start or 0.0) * self.frames_per_second
        end = n_rows if source.end is None else source.end * self.frames_per_second
        first, last = int(np.ceil(start)), int(np.ceil(end))
        if n_rows <= first and start < n_rows + 1:
            return n_rows - 1, n_rows
        return (first, last) if first < last else (int(start), int(start) + 1)

    def _examined(self) -> tuple[dict[str, str], str]:
        """Return what is wrong with which files, and a digest of their names, sizes, starts and ends.

        Raises:
            UsageError: every file is of another width.
        """
        problems, widths, digest = {}, set(), hashlib.sha256()
        for name, path in sorted(self._files.items()):
            head, tail, size = _edges(path)
            digest.update(f"{name} {size}\n".encode() + head + tail)
            shape, problem = _described(head, size)
            if shape:
                widths.add(shape[1])
                if shape[1] != self.dim:
                    problem = f"its file has shape {shape}, not (T, {self.dim})"
            if problem:
                problems[name] = problem
        if len(widths) == 1 and self.dim not in widths:
            raise UsageError(
                f"visual 'feature-files': the files in {self.folder} have rows of {min(widths)} features, not "
                f"{self.dim}. Try: --set visual.dim={min(widths)}"
            )
        return problems, digest.hexdigest()

    # --- the classifier that goes with the features ---

    @property
    def labels(self) -> tuple[tuple[str, str], ...] | None:
        """Name and definition of every class of the classifier; None without one."""
        return None if self.classifier is None else self._model.labels

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits (..., L) that the classifier gives for features (..., D).

        Raises:
            UsageError: no classifier was named, or it reads other features.
        """
        if self.classifier is None:
            raise UsageError(
                "visual 'feature-files' was given no classifier. Try: --set visual.classifier=bit-m-r152x2"
            )
        logits: Tensor = self._model.classify(features)
        return logits

    @cached_property
    def _model(self) -> Any:
        from .visual import BitMR152x2, EfficientNetLite0

        model: Any = BitMR152x2(weights=self.weights) if self.classifier == "bit-m-r152x2" else EfficientNetLite0()
        if model.dim != self.dim:
            raise UsageError(
                f"the classifier of {self.classifier} reads {model.dim} features, the files hold {self.dim}"
            )
        return model


def _edges(path: Path) -> tuple[bytes, bytes, int]:
    """Return the first and last bytes of a file, and its size."""
    with path.open("rb") as file:
        head = file.read(EDGE_BYTES)
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - EDGE_BYTES))
        return head, file.read(), size


def _described(head: bytes, size: int) -> tuple[tuple[int, int] | None, str]:
    """Return the shape that the header of a file tells, where it is (T, D), and what is wrong with the file."""
    try:
        header = read_header(io.BytesIO(head))
    except ValueError as error:
        return None, f"its file is not an .npy file: {error}"
    shape, dtype = header.shape, header.dtype
    if header.offset + header.n_bytes != size:
        return None, f"its file has {size:,} bytes, but states an array of {header.n_bytes:,}"
    if dtype.name not in FLOATS:
        return None, f"its file holds {dtype.name}, not one of {', '.join(FLOATS)}"
    if len(shape) != 2:
        return None, f"its file has shape {shape}, not (T, D)"
    return (shape[0], shape[1]), "" if shape[0] else "its file has no row"
