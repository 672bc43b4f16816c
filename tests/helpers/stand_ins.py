"""What the readers of the pages have, made small: features, videos of data sets, weights, a model, nodes of a cluster.

All is put in the working folder. MADE lists contexts, which give the variables that a page's commands then need.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
from chat import Chat

from zsarbench.data.downloads import HOST
from zsarbench.testing.videos import write_video

Variables = Mapping[str, str]


def write_videos(paths: str) -> None:
    """Write two seconds of one colour to `videos/PATH.mp4` for each of the paths `CLASS/NAME`, between blanks."""
    for number, path in enumerate(re.findall(r"[^/]+?/\w+", paths)):
        place = Path("videos", f"{path.strip()}.mp4")
        place.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(place), "w") as file:
            stream: Any = file.add_stream("mpeg4", rate=8)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 37 * number, np.uint8), format="rgb24")
            for _ in range(16):
                file.mux(stream.encode(frame))
            file.mux(stream.encode())


def fetch(name: str, path: str) -> None:
    """Put a file of a public repository in the working folder: from the mirror, where there is one."""
    mirror = os.environ.get("ZSARBENCH_MIRROR")
    if mirror:
        Path(name).symlink_to(Path(mirror, path))
    else:
        urllib.request.urlretrieve(f"{HOST}/{path}", name)


@contextlib.contextmanager
def features() -> Iterator[Variables]:
    """Write features (2, 512) of each video of the folder `videos`."""
    for number, video in enumerate(sorted(Path("videos").rglob("*.mp4"))):
        place = Path("features", video.relative_to("videos")).with_suffix(".npy")
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, np.random.default_rng(number).random((2, 512), dtype=np.float32))
    yield {}


@contextlib.contextmanager
def ucf101() -> Iterator[Variables]:
    """Put the same two seconds under the name of each of the 13,320 clips."""
    from zsarbench_datasets.ucf101 import UCF101

    labels = UCF101().manifest().set_index("clip_id")["label"]
    _link_all(Path("UCF-101"), [f"{label}/{clip_id}.avi" for clip_id, label in labels.items()])
    yield {}


@contextlib.contextmanager
def kinetics400() -> Iterator[Variables]:
    """Put the same two seconds under the name of each listed clip."""
    from zsarbench_datasets.kinetics import Kinetics400

    _link_all(Path("kinetics400"), [f"{clip_id}.mp4" for clip_id in Kinetics400().manifest()["clip_id"]])
    yield {}


def _link_all(folder: Path, names: list[str]) -> None:
    one = write_video(Path(f"one{Path(names[0]).suffix}"), 16, rate=8)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(one, folder / name)


@contextlib.contextmanager
def state() -> Iterator[Variables]:
    """Write untrained weights of the release's architecture, for captions and classes in sentences of `minilm-l6`."""
    import torch
    from released import Release

    torch.save(Release(video=384, text=384).state_dict(), "state.pt")
    yield {}


class _Waver(Chat):
    def answer(self, question: dict[str, Any]) -> str:
        return "Someone is waving."


@contextlib.contextmanager
def model() -> Iterator[Variables]:
    """Serve a model that sees the same in every clip, on the port that the pages name."""
    with ThreadingHTTPServer(("127.0.0.1", 8000), _Waver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1", "OPENAI_API_KEY": "none"}
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def nodes() -> Iterator[Variables]:
    """Let this machine be every node: a folder that all share, and the cache of another node in `copied/zsarbench`."""
    shared = Path("shared").resolve()
    shared.mkdir()
    Path("copied").mkdir()
    Path("copied/zsarbench").symlink_to(os.environ["ZSARBENCH_CACHE"])
    noted = tempfile.mkdtemp(prefix="ray-")  # the paths of Ray's sockets must be short
    try:
        yield {"SHARED": str(shared), "HEAD": "127.0.0.1", "RAY_TMPDIR": noted, "RAY_worker_niceness": "0"}
    finally:
        _kill_all_with(f"SHARED={shared}")
        shutil.rmtree(noted, ignore_errors=True)


def _kill_all_with(variable: str) -> None:
    """End the processes that have this in their environment: those of this cluster, and of no other on the machine."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if variable.encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


MADE: Mapping[str, Callable[[], AbstractContextManager[Variables]]] = {
    "features": features,
    "UCF-101": ucf101,
    "kinetics400": kinetics400,
    "state.pt": state,
    "model": model,
    "nodes": nodes,
}
"""By the names that the pages give them: `<!-- made: NAME -->`."""
