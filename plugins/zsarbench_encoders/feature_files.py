"""Features that others computed, in the files that people keep them in: one a clip or video, or one for all."""

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
from zsarbench.utils.file_names import shown

from .array_formats import Stored, open_arrays
from .file_index import FileIndex, Match, Place
from .preparation import ColourOrder

if TYPE_CHECKING:
    from torch import Tensor

DIM = 4096  # features of a row: BiT-M-R152x2, pooled; valterlej/cezsar, stage 1
FLOATS = ("float16", "bfloat16", "float32", "float64")
EDGE_BYTES = 4096  # of a file's start and end enter the fingerprint: whole files would be 34 GB for Kinetics-400

ClassifierName = Literal["bit-m-r152x2", "efficientnet-lite0"]


class FeatureFiles:
    """Reads arrays (T, D), a row a second, or one vector (D,) of a clip; the store takes them in.

    Files are `.npy`, `.npz`, `.mat` (level 5 and 7.3), `.pt`, `.safetensors` or `.h5`. They lie flat, or in folders as
    the clips do, each with one array, or one of the width `dim`; or one file holds an array for each clip; or a CSV
    list with the columns clip and file names the file of each. A clip is the array of its own id; or else it is cut out
    of its video's: the rows from its start to its end. All files are looked at before anything runs. A clip without a
    sound array counts as one that cannot be read, with its reason.

    folder: where the files lie, those of all data sets of a run; or the one file, or the list. dim: D of every array.
    frames_per_second: rows a second; the release has one.
    max_steps: rows of a clip that are kept, from its start on.
    colour_order: of the frames that the features were computed from, which nothing here can change; None: unknown. The
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
        self._opened: Mapping[str, Stored] = {}
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
            raise UsageError("visual 'feature-files' reads a folder of feature files. Try: --set visual.folder=FOLDER")

    def _rows(self, source: ClipSource) -> np.ndarray | str:
        """Return the rows (t, D) float32 of a clip, or why it has none."""
        match = self._index.find(source) if self._index is not None else "no folder was named"
        if isinstance(match, str):
            return match
        if match.name in self._problems:
            return self._problems[match.name]
        try:
            stored, is_vector = self._array(self._place(match.name))
        except (OSError, ValueError) as error:
            return f"its file cannot be read: {error}"
        if is_vector and not match.whole and source.start is not None:
            return "its file holds one vector of the whole video, of which no span can be cut"
        first, last = (0, len(stored)) if match.whole or is_vector else self._span(source, len(stored))
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
        """Return what is wrong with which arrays, and a digest of what the files are.

        Of a file a clip enter name, size, start and end; of one file for all clips, all its bytes.

        Raises:
            UsageError: every array is of another width, or what reads the files is not installed.
        """
        problems, widths, lengths, digest = {}, set(), set(), hashlib.sha256()
        noted: set[Path] = set()
        for name in sorted(self._index.files) if self._index is not None else ():
            place = self._place(name)
            try:
                if place.array is None:
                    head, tail, size = _edges(place.path)
                    digest.update(f"{name} {size}\n".encode() + head + tail)
                elif place.path not in noted:
                    noted.add(place.path)
                    with place.path.open("rb") as file:
                        digest.update(hashlib.file_digest(file, "sha256").digest())
                stored = self._stored(place)
            except FileNotFoundError:
                problems[name] = f"its file {shown(place.path)} does not exist"
                continue
            except (OSError, ValueError) as error:
                problems[name] = f"its file cannot be read: {error}"
                continue
            if problem := self._problem(stored):
                problems[name] = problem
            if stored.dtype in FLOATS and stored.shape:
                widths.add(_width(stored.shape))
                lengths.add(stored.shape[0])
        if lengths == {self.dim} and self.dim not in widths:
            raise UsageError(
                f"visual 'feature-files': the arrays in {self.folder} are ({self.dim}, T); rows are seconds here. "
                "Try: their transposes (T, D)"
            )
        if len(widths) == 1 and self.dim not in widths:
            raise UsageError(
                f"visual 'feature-files': the files in {self.folder} have rows of {min(widths)} features, not "
                f"{self.dim}. Try: --set visual.dim={min(widths)}"
            )
        return problems, digest.hexdigest()

    def _place(self, name: str) -> Place:
        assert self._index is not None  # it has named the array
        return self._index.files[name]

    def _stored(self, place: Place) -> Stored:
        """Return the array of a place: the named one, or the only one, or the only one of the right width.

        Raises:
            ValueError: the file is damaged, or holds several.
        """
        if place.array is not None:  # all are of one file
            self._opened = self._opened or open_arrays(place.path)
            return self._opened[place.array]
        arrays = open_arrays(place.path)
        fitting = [one for one in arrays.values() if len(arrays) == 1 or not self._problem(one)]
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(sorted(arrays)[:3]) + (", …" if len(arrays) > 3 else "")
        raise ValueError(
            f"it holds {len(arrays)} arrays ({names}), {len(fitting) or 'none'} of them of shape (T, {self.dim}); keep "
            f"one. Of one file for all clips try: --set visual.folder={place.path.name}"
            if arrays
            else "it holds no array"
        )

    def _problem(self, stored: Stored) -> str:
        """Return what is wrong with an array, "" for nothing."""
        shape = stored.shape
        if stored.dtype not in FLOATS:
            return f"its file holds {stored.dtype}, not one of {', '.join(FLOATS)}"
        if len(shape) not in (1, 2):
            return f"its file has shape {shape}, neither (T, D) nor (D,)"
        if _width(shape) != self.dim:
            turned = "; its rows are columns" if len(shape) == 2 and shape[0] == self.dim else ""
            return f"its file has shape {shape}, not (T, {self.dim}){turned}"
        return "" if all(shape) else "its file has no row"

    def _array(self, place: Place) -> tuple[np.ndarray, bool]:
        """Return the rows (T, D) of an array, and whether it is one vector."""
        stored = self._stored(place)
        values = stored.read()
        if values.shape != stored.shape:
            raise ValueError(f"it states a shape of {stored.shape}, but holds {values.shape}")
        is_vector = len(stored.shape) == 1 or stored.shape == (self.dim, 1) != (self.dim, self.dim)
        return (values.reshape(1, -1) if is_vector else values), is_vector

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


def _width(shape: tuple[int, ...]) -> int:
    """Return D of an array (T, D) or (D,), or of a column (D, 1), as MATLAB keeps a vector."""
    return shape[0] if len(shape) == 2 and shape[1] == 1 and shape[0] > 1 else shape[-1]
