"""The plugin's README names code and commands that exist, and leads from every stage to its line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from locations import ROOT

README = ROOT / "plugins" / "zsarbench_cezsar" / "README.md"
LINES = README.read_text(encoding="utf-8").splitlines()
STAGES = [line for line in LINES if re.match(r"\| \d", line)]
LINK = re.compile(r"\[`([\w.]+)`\]\(([^()]+)#L(\d+)\)")


def test_every_stage_is_in_the_table():
    stages = {int(stage) for row in STAGES for stage in re.findall(r"\d+", row.split("|")[1])}
    assert stages == set(range(1, 11))
    assert sum("equation 9" in row for row in STAGES) == 1


@pytest.mark.parametrize("row", STAGES)
def test_every_stage_leads_to_its_line_of_code(row):
    assert LINK.search(row), "no link"


@pytest.mark.parametrize(
    "link", sorted({link for line in LINES for link in LINK.findall(line)}), ids=lambda link: link[0]
)
def test_every_link_meets_the_definition_of_its_name(link):
    name, file, line = link
    text = (README.parent / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    last = name.rpartition(".")[2]
    assert re.search(rf"(\b(def|class) {last}\b)|^{last}\b", text), text


def test_a_link_that_misses_its_line_is_stale(tmp_path):
    """The one command that writes the links also corrects them; a name that does not exist is an error."""
    for path in (".ci/readme.py", "zsarbench", "plugins"):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        (tmp_path / path).parent.mkdir(exist_ok=True)
        copy(ROOT / path, tmp_path / path)
    for page in ("README.md", "docs/how-to/ucf101.md", "docs/tutorials/predictions.md"):
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / page).touch()
    page = tmp_path / README.relative_to(ROOT)
    page.write_text("\n".join(STAGES), encoding="utf-8")  # without the tables of results

    def generated(*options):
        return subprocess.run([sys.executable, tmp_path / ".ci/readme.py", *options], capture_output=True, text=True)

    assert generated("--check").returncode == 0
    module = page.parent / "losses.py"
    module.write_text("# a line more\n" + module.read_text(encoding="utf-8"), encoding="utf-8")
    stale = generated("--check")
    assert stale.returncode == 1
    assert "stale: plugins/zsarbench_cezsar/README.md; run: python .ci/readme.py" in stale.stderr
    assert generated().returncode == generated("--check").returncode == 0
    module.write_text("", encoding="utf-8")
    assert "`losses.Triplet` is named, and plugins/zsarbench_cezsar/losses.py defines no Triplet" in generated().stderr


def test_every_option_named_exists():
    from zsarbench.plugins.options import options_of
    from zsarbench_cezsar.method import Cezsar
    from zsarbench_cezsar.negatives import CosineWindow
    from zsarbench_cezsar.pretrained import Pretrained
    from zsarbench_datasets.activitynet_captions import ActivityNetCaptions
    from zsarbench_encoders.captions import Captions
    from zsarbench_encoders.feature_files import FeatureFiles
    from zsarbench_encoders.visual import BitMR152x2

    known = {
        "method": options_of(Cezsar) | options_of(Pretrained),
        "negatives": options_of(CosineWindow),
        "visual": options_of(Captions) | options_of(BitMR152x2) | options_of(FeatureFiles),
        "train_dataset": options_of(ActivityNetCaptions),
        "dataset": options_of(ActivityNetCaptions),
    }
    named = re.findall(r"--set\s+(\w+)\.(\w+)=", README.read_text(encoding="utf-8"))
    assert len(named) >= 8
    assert [f"{kind}.{name}" for kind, name in named if name not in known[kind]] == []
