"""Features as people keep them: the same numbers from every format, and one clear line of every broken file."""

from __future__ import annotations

import io
import json
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from scipy.io import savemat

import zsarbench
from zsarbench import results
from zsarbench.errors import UsageError
from zsarbench.interfaces import Clips, ClipSource
from zsarbench_encoders.array_formats import open_arrays
from zsarbench_encoders.feature_files import FeatureFiles

h5py = pytest.importorskip("h5py", reason="the extra `hdf5` is not installed")

DIM = 5
CLASSES = ("clap", "wave", "jump")
Arrays = Mapping[str, np.ndarray]


def toy_arrays(vectors: bool = False) -> dict[str, np.ndarray]:
    """Return the features of two clips of each class: three rows that float16 and float32 hold exactly."""
    rng = np.random.default_rng(0)
    shape = (DIM,) if vectors else (3, DIM)
    return {f"{name}/{name}_{n}": rng.integers(-64, 64, shape).astype(np.float32) / 32
            for name in CLASSES for n in range(2)}  # fmt: skip


def mat73(path: Path, arrays: Arrays) -> None:
    """Write what MATLAB's save -v7.3 writes: HDF5 behind a block of its own, each array turned round."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            turned = np.atleast_2d(value).T
            file.create_dataset(name, data=turned).attrs["MATLAB_class"] = np.bytes_(b"double")
        file.create_group("#refs#").create_dataset("a", data=np.zeros(2))
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")


def h5(path: Path, arrays: Arrays) -> None:
    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            file.create_dataset(name, data=value, compression="gzip")


ONE: dict[str, Callable[[Path, np.ndarray], None]] = {
    "npy": lambda path, value: np.save(path, value),
    "npz": lambda path, value: np.savez_compressed(path, features=value),
    "mat": lambda path, value: savemat(path, {"features": value.astype(np.float64), "fps": 25}, do_compression=True),
    "mat-plain": lambda path, value: savemat(path, {"features": value}),
    "mat-7.3": lambda path, value: mat73(path, {"features": value.astype(np.float64)}),
    "pt": lambda path, value: torch.save(torch.from_numpy(value), path),
    "pth": lambda path, value: torch.save({"features": torch.from_numpy(value).bfloat16(), "label": "clap"}, path),
    "safetensors": lambda path, value: save_file({"features": value.astype(np.float16)}, path),
    "h5": lambda path, value: h5(path, {"features": value}),
    "hdf5": lambda path, value: h5(path, {"features": value.astype(np.float64), "times": np.arange(3)}),
}
"""Writers of a file a clip."""

ALL: dict[str, Callable[[Path, Arrays], None]] = {
    "npz": lambda path, arrays: np.savez(path, **arrays),
    "pt": lambda path, arrays: torch.save({name: torch.from_numpy(value) for name, value in arrays.items()}, path),
    "safetensors": lambda path, arrays: save_file(dict(arrays), path),
    "h5": h5,
    "mat-7.3": mat73,
}
"""Writers of one file for all clips."""


def in_folder(folder: Path, kind: str, arrays: Arrays) -> Path:
    for name, value in arrays.items():
        path = folder / f"{name}.{kind.partition('-')[0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        ONE[kind](path, value)
    return folder


def encoded(place: Path, clips: Iterable[str] = (), **options: object) -> tuple[list[np.ndarray], dict[str, str]]:
    ids = tuple(clips or toy_arrays())
    sources = tuple(ClipSource(name) for name in ids)
    steps = FeatureFiles(folder=place, dim=DIM, **options).encode(Clips(ids, sources=sources))
    return [value[kept].numpy() for value, kept in zip(steps.values, steps.mask, strict=True)], dict(steps.reasons)


def same(found: list[np.ndarray], arrays: Arrays) -> bool:
    return all(np.array_equal(one, np.atleast_2d(value)) for one, value in zip(found, arrays.values(), strict=True))


@pytest.mark.parametrize("vectors", [False, True], ids=["rows", "vectors"])
@pytest.mark.parametrize("kind", ONE)
def test_a_file_a_clip_gives_the_numbers_that_were_saved(kind: str, vectors: bool, tmp_path: Path) -> None:
    arrays = toy_arrays(vectors)
    found, reasons = encoded(in_folder(tmp_path, kind, arrays))
    assert reasons == {}
    assert same(found, arrays)


@pytest.mark.parametrize("kind", ALL)
def test_one_file_for_all_clips_gives_the_numbers_that_were_saved(kind: str, tmp_path: Path) -> None:
    place = tmp_path / f"features.{kind.partition('-')[0]}"
    ALL[kind](place, toy_arrays())
    found, reasons = encoded(place)
    assert reasons == {}
    assert same(found, toy_arrays())


def test_a_list_names_the_file_of_each_clip(tmp_path: Path) -> None:
    rows = ["clip,file"]
    for number, ((name, value), kind) in enumerate(zip(toy_arrays().items(), ONE, strict=False)):
        file = f"{number}.{kind.partition('-')[0]}"
        ONE[kind](tmp_path / file, value)
        rows.append(f"{name},{file}")
    (tmp_path / "list.csv").write_text("\n".join([*rows, "extra/clip,gone.npy"]), encoding="utf-8")
    found, reasons = encoded(tmp_path / "list.csv")
    assert reasons == {}
    assert same(found, toy_arrays())
    encoder = FeatureFiles(folder=tmp_path / "list.csv", dim=DIM)
    steps = encoder.encode(Clips(("extra/clip",), sources=(ClipSource("extra/clip"),)))
    assert "gone.npy does not exist" in steps.reasons["extra/clip"]


@pytest.mark.parametrize(
    "name_of",
    [lambda clip: f"{clip}.mp4", lambda clip: clip.replace("/", "\\"), lambda clip: unicodedata.normalize("NFD", clip)],
    ids=["names of videos", "backslashes", "the other Unicode form"],
)
def test_names_as_other_programs_write_them_are_those_of_clips(name_of: Callable[[str], str], tmp_path: Path) -> None:
    arrays = {f"capoéira/{name}": value for name, value in toy_arrays().items()}
    np.savez(tmp_path / "all.npz", **{name_of(clip): value for clip, value in arrays.items()})
    found, reasons = encoded(tmp_path / "all.npz", arrays)
    assert reasons == {}
    assert same(found, arrays)


def test_names_of_videos_do_not_hide_a_clip_that_is_called_so(tmp_path: Path) -> None:
    two = {"a": np.zeros((1, DIM), np.float32), "a.mp4": np.ones((1, DIM), np.float32)}  # of a.mkv and of a.mp4
    found, _ = encoded(in_folder(tmp_path, "npy", two), two)
    assert same(found, two)
    (tmp_path / "a.npy").unlink()
    with pytest.raises(UsageError, match=r"can be of 'a' and of 'a\.mp4'"):
        FeatureFiles(folder=tmp_path, dim=DIM).check_sources([ClipSource("a"), ClipSource("a.mp4")])


def test_a_list_may_have_backslashes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "x.npy", np.ones((1, DIM), np.float32))
    (tmp_path / "list.csv").write_text("clip,file\nclap\\c0.avi,sub\\x.npy\n", encoding="utf-8")
    found, reasons = encoded(tmp_path / "list.csv", ["clap/c0"])
    assert reasons == {}
    assert found[0].tolist() == [[1.0] * DIM]


def test_columns_of_seconds_are_not_taken_for_rows_of_few_features(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((DIM, 3), np.float32))
    with pytest.raises(UsageError, match=r"are \(5, T\); rows are seconds here. Try: their transposes"):
        FeatureFiles(folder=tmp_path, dim=DIM)


def test_a_vector_of_a_whole_video_cannot_be_cut(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.ones(DIM, np.float32))
    span = ClipSource("v#3-5", None, 3.0, 5.0, video="v")
    steps = FeatureFiles(folder=tmp_path, dim=DIM).encode(Clips(("v#3-5",), sources=(span,)))
    assert "one vector of the whole video, of which no span can be cut" in steps.reasons["v#3-5"]


def test_the_same_numbers_give_the_same_bytes_of_scores(tmp_path: Path) -> None:
    """Of three formats a clip and one file for all, measured by a method that learns."""
    videos = tmp_path / "videos"
    for name in toy_arrays():
        (videos / name).parent.mkdir(parents=True, exist_ok=True)
        (videos / f"{name}.mp4").touch()
    (tmp_path / "mine.toml").write_text(
        'name = "mine/one"\nversion = 1\ndataset = "folder"\nsummary = "One."\nsource = "This."\nsetting = "zsl"\n'
        f'class_text = "name"\n[[rounds]]\nseed = 0\nseen = {json.dumps(CLASSES[:1])}\n'
        f"candidates = {json.dumps(CLASSES[1:])}\n",
        encoding="utf-8",
    )
    places = [in_folder(tmp_path / kind, kind, toy_arrays()) for kind in ("npz", "mat", "pt")]
    h5(tmp_path / "all.h5", toy_arrays())
    scores = set()
    for place in (*places, tmp_path / "all.h5"):
        result = zsarbench.run(
            "devise", protocol=str(tmp_path / "mine.toml"), data_root=[f"folder={videos}"], visual="feature-files",
            text="hashed-words", threads=1, out=str(tmp_path / "out"),
            settings=[f"visual.folder={place}", f"visual.dim={DIM}", "method.epochs=1"],
        )  # fmt: skip
        assert result.path is not None
        assert not result.failures
        scores.add(results.scores_file(result.path, result).read_bytes())
    assert len(scores) == 1


# --- broken and hostile files ---


class Touches:
    """What an unpickler would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def mat_variable(shape: tuple[int, ...], values: bytes, kind: int = 6, stored: int = 9) -> bytes:
    """Return a variable of a MAT file of level 5."""

    def element(code: int, content: bytes) -> bytes:
        return struct.pack("<II", code, len(content)) + content + bytes(-len(content) % 8)

    inside = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return inside + element(1, b"features") + element(stored, values)


def mat(*variables: bytes, compressed: bool = False) -> bytes:
    """Return a MAT file of level 5 of these variables."""
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
    for variable in variables:
        whole = struct.pack("<II", 14, len(variable)) + variable
        packed = zlib.compress(whole)
        content += struct.pack("<II", 15, len(packed)) + packed if compressed else whole
    return content


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def bytes_of(write: Callable[[Path], object], path: Path) -> bytes:
    write(path)
    return path.read_bytes()


def linked(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["features"] = h5py.ExternalLink("/etc/passwd", "/")


def elsewhere(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("features", (1, DIM), "f4", external=[("/etc/passwd", 0, 4 * DIM)])


def huge(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("features", (10**9, DIM), "f8", chunks=(1, DIM))


def looped(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("a")
        group["a"] = group


HEAD = np.lib.format.magic(1, 0) + struct.pack("<H", 80)
STATED = HEAD + b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 5), }".ljust(79) + b"\n"

BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "text as npz": ("npz", lambda path: path.write_text("no archive"), "it is not a valid .npz file"),
    "npz that states more": (
        "npz",
        lambda path: path.write_bytes(zipped(**{"a.npy": STATED})),
        "states 1,999,999,980 bytes",
    ),
    "npz of other things": (
        "npz",
        lambda path: path.write_bytes(zipped(readme=b"x")),
        "its entry 'readme' is not an array",
    ),
    "npz of several": (
        "npz",
        lambda path: np.savez(path, a=np.ones((1, DIM)), b=np.ones((1, DIM))),
        "it holds 2 arrays (a, b), 2 of them of shape (T, 5); keep one",
    ),
    "npz of objects": (
        "npz",
        lambda path: np.savez(path, a=np.array([Touches(path.parent / "ran")])),
        "not plain values",
    ),
    "text as mat": ("mat", lambda path: path.write_text("no matrix"), "it is not a MATLAB file of level 5 or 7.3"),
    "mat of a structure": ("mat", lambda path: savemat(path, {"features": {"a": 1.0}}), "its file holds a structure"),
    "mat of text": ("mat", lambda path: savemat(path, {"features": "words"}), "its file holds text"),
    "mat of complex numbers": (
        "mat",
        lambda path: savemat(path, {"features": np.ones((1, DIM)) * 1j}),
        "its file holds complex numbers",
    ),
    "mat with fewer values": (
        "mat",
        lambda path: path.write_bytes(mat(mat_variable((2, DIM), bytes(8)))),
        "its values are not as many as it states",
    ),
    "mat that states too much": (
        "mat",
        lambda path: path.write_bytes(mat(mat_variable((2**30, DIM), bytes(8)), compressed=True)),
        "more than is read",
    ),
    "mat that inflates": (
        "mat",
        lambda path: path.write_bytes(mat(mat_variable((2, DIM), bytes(2**24)), compressed=True)),
        "it ends within a variable",
    ),
    "mat that is cut": (
        "mat",
        lambda path: path.write_bytes(mat(mat_variable((2, DIM), bytes(80)))[:-16]),
        "bytes, but states",
    ),
    "mat of damaged values": (
        "mat",
        lambda path: path.write_bytes(mat(b"", compressed=True)[:136] + b"garbage!"),
        "it has",
    ),
    "text as pt": ("pt", lambda path: path.write_text("no tensor"), "it is not a file of torch.save since PyTorch 1.6"),
    "pt that runs": (
        "pt",
        lambda path: torch.save({"a": Touches(path.parent / "ran")}, path),
        "torch's reader of plain tensors refuses it",
    ),
    "pt of a module": (
        "pt",
        lambda path: torch.save(torch.nn.Linear(2, 2), path),
        "torch's reader of plain tensors refuses it",
    ),
    "pt that repeats": ("pt", lambda path: torch.save(torch.ones(1).expand(10**9, DIM), path), "repeats its values"),
    "pt that inflates": (
        "pt",
        lambda path: path.write_bytes(zipped(**{"a/data.pkl": bytes(2**20)})),
        "its entries are compressed",
    ),
    "pt of nothing": ("pt", lambda path: torch.save({}, path), "it holds no array"),
    "text as safetensors": (
        "safetensors",
        lambda path: path.write_text("no tensor at all"),
        "it is not a valid .safetensors file",
    ),
    "safetensors of counts": (
        "safetensors",
        lambda path: save_file({"a": np.ones((1, DIM), np.int64)}, path),
        "its file holds I64",
    ),
    "text as h5": ("h5", lambda path: path.write_text("no file"), "its file cannot be read"),
    "h5 with a link": ("h5", linked, "is a link to elsewhere, which is not followed"),
    "h5 of another file": ("h5", elsewhere, "keeps its values in another file, which is not read"),
    "h5 that states too much": ("h5", huge, "more than is read"),
    "h5 in a circle": ("h5", looped, "nested too deeply"),
    "h5 that is cut": (
        "h5",
        lambda path: path.write_bytes(bytes_of(lambda one: h5(one, toy_arrays()), path)[:-900]),
        "its file cannot be read",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_or_hostile_file_is_one_clear_line(name: str, tmp_path: Path) -> None:
    ending, write, says = BROKEN[name]
    write(tmp_path / f"bad.{ending}")
    np.save(tmp_path / "good.npy", np.ones((2, DIM), np.float32))
    encoder = FeatureFiles(folder=tmp_path, dim=DIM)
    sources = (ClipSource("bad"), ClipSource("good"))
    steps = encoder.encode(Clips(("bad", "good"), sources=sources))
    assert set(steps.reasons) == {"bad"}
    assert says in steps.reasons["bad"]
    assert "\n" not in steps.reasons["bad"]
    assert len(steps.reasons["bad"]) < 300
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("clip,file\na,x.npy\na,y.npy\n", "line 3: clip 'a' is listed twice"),
        ("clip,file\na,x.npy\nb,x.npy\n", "line 3: 'x.npy' is listed for 'a' already"),
        ("clip,file\na,\n", "line 2: the file is missing"),
        ("clip,file\na,x.avi\n", "'x.avi' is none of .npy"),
        ("name,file\na,x.npy\n", "clip"),
        ("clip,file\n", "holds no array"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        FeatureFiles(folder=tmp_path / "list.csv")
    assert says in str(error.value)


def test_a_place_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, DIM), np.float32))
    with pytest.raises(UsageError, match=r"reads a folder of \.npy, .*, one such file .* or a \.csv list"):
        FeatureFiles(folder=tmp_path / "a.npy")
    torch.save(torch.ones(2, DIM), tmp_path / "a.pt")
    with pytest.raises(UsageError, match=r"a\.npy and a\.pt in .* are of one clip\. Try: a folder for each format"):
        FeatureFiles(folder=tmp_path)
    (tmp_path / "bad.h5").write_text("nothing")
    with pytest.raises(UsageError, match=r"bad\.h5 cannot be read"):
        FeatureFiles(folder=tmp_path / "bad.h5")
    h5(tmp_path / "wide.h5", {"a": np.ones((2, 7), np.float32), "b": np.ones((2, 7), np.float32)})
    with pytest.raises(UsageError, match=r"rows of 7 features, not 5\. Try: --set visual\.dim=7"):
        FeatureFiles(folder=tmp_path / "wide.h5", dim=DIM)


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5(tmp_path / "a.h5", toy_arrays())
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UsageError, match=r"a\.h5 is HDF5, which h5py reads\. Try: pip install 'zsarbench\[hdf5\]'"):
        open_arrays(tmp_path / "a.h5")


def test_the_fingerprint_follows_the_bytes_of_one_file_for_all(tmp_path: Path) -> None:
    def fingerprint() -> str:
        return FeatureFiles(folder=tmp_path / "all.safetensors", dim=DIM).fingerprint["files_sha256"]

    arrays = toy_arrays() | {f"z{number}": np.zeros((200, DIM), np.float32) for number in range(9)}
    save_file(arrays, tmp_path / "all.safetensors")
    first = fingerprint()
    arrays["z4"][100] = 1  # far from both ends of the file
    save_file(arrays, tmp_path / "all.safetensors")
    assert fingerprint() != first
