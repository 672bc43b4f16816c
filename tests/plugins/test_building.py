"""Parts from their options."""

from __future__ import annotations

import pytest

from zsarbench.errors import UsageError
from zsarbench.plugins.building import build_visual
from zsarbench.plugins.parts import PartSpec


@pytest.mark.parametrize("options", [{"max_steps": 0}, {"max_steps": -2}, {"frames_per_second": 0.0}])
def test_a_visual_part_that_takes_no_step_of_a_clip_is_refused(options: dict[str, float]) -> None:
    part = PartSpec("visual", "tiny", "zsarbench.testing.videos:TinyEncoder", "test", options)
    ((name, value),) = options.items()
    with pytest.raises(UsageError, match=rf"'tiny' takes no step of a clip .* visual\.{name}={value}"):
        build_visual(part, None, "cpu", None)
