"""The compact form of a block: what its arrays hold, what is read back from them, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zsarbench.evaluation.best_classes import Form, from_arrays, to_arrays

LEFT_OUT = -np.inf
SCORES = np.array(
    [[0.5, LEFT_OUT, 2.0, 2.0], [np.nan] * 4, [LEFT_OUT, 1.0, LEFT_OUT, LEFT_OUT], [LEFT_OUT] * 4], dtype=np.float32
)  # three best classes of which two tie, a clip that was not read, a single best class, none


def arrays_of(form: Form, scores: np.ndarray = SCORES, **changed: Any) -> dict[str, Any]:
    """Return the arrays of block 3 with its clips and classes."""
    whole = {"clips": np.arange(scores.shape[0]), "classes": np.arange(scores.shape[1])}
    stored = {f"block3_{name}": array for name, array in (whole | changed).items()}
    return to_arrays(3, scores, form) | stored


def test_of_each_clip_the_best_classes_are_listed_best_first_with_their_ties() -> None:
    arrays = to_arrays(3, SCORES, "places")
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "block3_unread": [False, True, False, False],
        "block3_counts": [3, 0, 1, 0],
        "block3_best": [2, 3, 0, 1],
        "block3_ties": [False, True, False, False],
    }
    arrays = to_arrays(3, SCORES, "scores")
    assert arrays["block3_values"].tolist() == [2.0, 2.0, 0.5, 1.0]
    assert "block3_ties" not in arrays


def test_scores_are_read_back_as_they_were_and_places_as_minus_their_number() -> None:
    np.testing.assert_array_equal(from_arrays(3, arrays_of("scores"), "scores"), SCORES)
    places = SCORES.copy()
    places[0], places[2, 1] = [-2.0, LEFT_OUT, 0.0, 0.0], 0.0
    np.testing.assert_array_equal(from_arrays(3, arrays_of("places"), "places"), places)


@pytest.mark.parametrize("form", ["places", "scores"])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (2, 3)])
def test_blocks_without_any_best_class_are_read(form: Form, shape: tuple[int, int]) -> None:
    nothing = np.full(shape, LEFT_OUT, dtype=np.float32)
    np.testing.assert_array_equal(from_arrays(3, arrays_of(form, nothing), form), nothing)


@pytest.mark.parametrize(("n_classes", "kind"), [(256, np.uint8), (257, np.uint16)])
def test_classes_take_one_byte_where_256_are_enough(n_classes: int, kind: type) -> None:
    scores = np.arange(n_classes, dtype=np.float32)[None, :]
    arrays = arrays_of("places", scores)
    assert arrays["block3_best"].dtype == kind
    np.testing.assert_array_equal(from_arrays(3, arrays, "places"), scores - (n_classes - 1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"counts": [3, 0, 1]}, "states best classes of 3 clips, and holds 4 clips"),
        ({"unread": [False] * 3}, "states best classes of 4 clips, and holds 4 clips"),
        ({"counts": [5, 0, 0, -1]}, "states best classes of 4 clips"),
        ({"counts": [4, 0, 1, -1]}, "states best classes of 4 clips"),
        ({"counts": [5, 0, 0, 0]}, "states best classes of 4 clips"),
        ({"counts": [3, 0, 0, 0]}, "holds 4 best classes, and states 3"),
        ({"best": [2, 3, 0]}, "holds 3 best classes, and states 4"),
        ({"ties": [False] * 3}, "holds 4 best classes, and states 4"),
        ({"best": [2, 4, 0, 1]}, "point outside the 4 that there are"),
        ({"best": [2, 2, 0, 1]}, "is listed twice for one clip"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(changed: dict[str, Any], message: str) -> None:
    arrays = arrays_of("places", **{name: np.array(values) for name, values in changed.items()})
    with pytest.raises(ValueError, match=message):
        from_arrays(3, arrays, "places")
