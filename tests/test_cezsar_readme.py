"""The plugin's README names code that exists."""

from __future__ import annotations

import importlib
import re
from functools import reduce
from pathlib import Path

import zsarbench_cezsar

README = Path(__file__).parent.parent / "plugins" / "zsarbench_cezsar" / "README.md"


def test_every_name_in_the_table_of_stages_exists():
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", line)]
    named = [name for row in rows for name in re.findall(r"`(\w+(?:\.\w+)+)`", row)]
    assert len(rows) == 19
    assert len(named) >= 12
    for name in named:
        module, *attributes = name.split(".")
        reduce(getattr, attributes, importlib.import_module(f"{zsarbench_cezsar.__name__}.{module}"))


def test_every_option_named_exists():
    from zsarbench.options import options_of
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
    }
    named = re.findall(r"--set\s+(\w+)\.(\w+)=", README.read_text(encoding="utf-8"))
    assert len(named) >= 8
    assert [f"{kind}.{name}" for kind, name in named if name not in known[kind]] == []
