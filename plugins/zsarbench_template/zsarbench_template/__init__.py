"""A plugin for zsarbench: what it adds. Keep this module light, it is imported whenever zsarbench starts."""

from zsarbench import hookimpl


@hookimpl
def zsarbench_register(registry):
    """Add a method and a loss; the other kinds enter the same way."""
    registry.add(
        "method",
        "ridge-to-text",
        "zsarbench_template.method:RidgeToText",
        summary="A ridge regression from a clip's mean features to its class's text, then the cosine.",
        source="The name and address of your paper",
        trained_on=(),  # nothing before the run; None would mean that nobody knows
        defaults={"visual": "efficientnet-lite0", "text": "minilm-l6"},
    )
    registry.add(
        "loss",
        "squared-hinge",
        "zsarbench_template.loss:SquaredHinge",
        summary="The squared hinge of Euclidean distances.",
        source="The name and address of your paper",
        trained_on=(),
    )
