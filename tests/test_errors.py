"""Errors for a user: exit codes, and messages for names that are not known."""

from __future__ import annotations

from zsarbench.errors import MAX_SHOWN, NotApplicable, NotGiven, UsageError, UsageErrors, ZsarbenchError, unknown


def test_a_failure_ends_with_1_and_a_mistake_of_the_user_with_2() -> None:
    assert ZsarbenchError.exit_code == 1
    assert {error.exit_code for error in (UsageError, UsageErrors, NotGiven, NotApplicable)} == {2}


def test_several_mistakes_are_one_error() -> None:
    error = UsageErrors(iter(["no loss", "no text"]))
    assert error.problems == ("no loss", "no text")
    assert str(error) == "no loss\nno text"


def test_the_nearest_name_is_guessed_where_one_is_near() -> None:
    assert unknown("loss", "cosin", ["cosine", "hinge"]) == (
        "unknown loss 'cosin'; did you mean 'cosine'? Known: cosine, hinge."
    )
    assert unknown("loss", "xyz", ["cosine"], "zsarbench list") == (
        "unknown loss 'xyz'. Known: cosine. Try: zsarbench list"
    )
    assert "did you mean 'cosine'" in unknown("loss", "COSINE", ["cosine", "hinge"])
    assert "did you mean 'ArcFace'" in unknown("loss", "arcface", ["ArcFace", "hinge"])
    assert unknown("loss", "xyz", []) == "unknown loss 'xyz'. Known: none."


def test_twelve_names_are_listed_and_more_are_counted() -> None:
    names = [f"n{number:02}" for number in range(13)]
    assert unknown("loss", "x", names[:12]).endswith("n10, n11.")
    assert unknown("loss", "x", names).endswith("n10, n11 … (13 in all).")


def test_a_name_of_any_length_is_cut() -> None:
    assert MAX_SHOWN == 120
    assert f"'{'x' * 120}'" in unknown("loss", "x" * 120, [])
    assert f"'{'x' * 120}…'" in unknown("loss", "x" * 121, [])
