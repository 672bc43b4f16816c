"""The feature store: rows of features under a key that names all they depend on.

A folder per key: `key.json`, `shards/` with immutable files and their sidecars, and an index of them, which is built
again from the sidecars wherever it is missing, old or damaged. A killed run loses the shard it was computing and
nothing else; two runs at once at most do the same work twice. Where the folder cannot be written, what is stored is
read.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from pathlib import Path

from zsarbench.errors import ZsarbenchError
from zsarbench.features.key import FeatureKey, digest_of
from zsarbench.features.store.feature_set import FeatureSet
from zsarbench.features.store.shards import ITEM_BYTES, Outdated, read_sidecar
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.targets import CACHE

_log = logging.getLogger(__name__)
_NO_WRITING = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)  # reading may still be possible


class FeatureStore:
    """All stored features below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def open(self, key: FeatureKey, dim: int) -> FeatureSet:
        """Return the features under a key, an empty set where none are stored yet.

        Raises:
            ZsarbenchError: there is something else in the place of the folder.
        """
        if key.dtype not in ITEM_BYTES:
            raise ZsarbenchError(f"features cannot be stored as {key.dtype}, only as {' or '.join(ITEM_BYTES)}")
        is_new = not (self.root / key.folder).exists()
        opened = FeatureSet(self._prepare_folder(key.folder, key.to_json() + "\n"), key.digest, dim, key.dtype)
        opened.refresh()
        if is_new:
            self.name_outdated()
        return opened

    def like(self, other: FeatureSet) -> FeatureSet:
        """Return this store's set under the key of another store's set, an empty one where none is stored yet.

        Raises:
            ZsarbenchError: there is something else in the place of the folder.
        """
        key = other.key_text() if other.key_problem() is None else None
        return FeatureSet(self._prepare_folder(other.folder.name, key), other.key, other.dim, other.dtype)

    def sets(self) -> list[FeatureSet]:
        """Return all stored sets by folder name, but those of `outdated`."""
        outdated = set(self.outdated())
        folders = (shards.parent for shards in sorted(self.root.glob("*/shards")) if shards.is_dir())
        return [_set_of(folder) for folder in folders if folder not in outdated]

    def outdated(self) -> list[Path]:
        """Return the folders of sets that were written in another version of the format, which nothing reads."""
        return [shards.parent for shards in sorted(self.root.glob("*/shards")) if _is_outdated(shards)]

    def name_outdated(self) -> list[str]:
        """Return the names of the sets of `outdated`, which the log says are not read."""
        names = [folder.name for folder in self.outdated()]
        if names:
            _log.warning(
                "%d sets of features are in the format of another version of zsarbench, are not read and are computed "
                "again where they are needed, e.g. %s. To remove them: zsarbench features gc --yes",
                len(names),
                names[0],
            )
        return names

    def _prepare_folder(self, name: str, key: str | None) -> Path:
        """Return the folder of a set, created where it does not exist, and record there that it was used now.

        Where nothing can be written it is left as it is: who has something to store says so.
        """
        folder = self.root / name
        key_file = folder / "key.json"
        try:
            (folder / "shards").mkdir(parents=True, exist_ok=True)
            if key is not None and (not key_file.is_file() or key_file.read_bytes() != key.encode()):
                write_atomic(key_file, key.encode())
            if key_file.exists():
                os.utime(key_file)
        except OSError as error:
            if error.errno not in _NO_WRITING:
                raise ZsarbenchError(f"features cannot be stored in {folder}: {error.strerror}. {CACHE}") from error
            _log.debug("%s cannot be written: %s", folder, error.strerror)
        return folder


def _set_of(folder: Path) -> FeatureSet:
    """Return the set of a folder, by the first intact sidecar of its key, or of any; else by its key alone, D is 0."""
    unread = FeatureSet(folder, "", 0, "float32")
    text = unread.key_text().strip()
    key = digest_of(text) if text else ""
    first = FeatureSet(folder, key, 0, "float32")
    for path in sorted(unread.shards.glob("*.json")):
        with contextlib.suppress(ZsarbenchError):
            sidecar = read_sidecar(unread.shards, path.stem)
            found = FeatureSet(folder, sidecar.key, sidecar.dim, sidecar.dtype)
            if sidecar.key == key:
                return found
            first = first if first.dim else found
    return first


def _is_outdated(shards: Path) -> bool:
    """Return whether every sidecar that can be read is of another version of the format."""
    outdated = False
    for path in sorted(shards.glob("*.json")):
        try:
            read_sidecar(shards, path.stem)
        except Outdated:
            outdated = True
        except ZsarbenchError:
            continue
        else:
            return False
    return outdated
