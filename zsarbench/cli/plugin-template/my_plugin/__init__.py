"""A plugin for zsarbench: what it adds. Keep this module light, it is imported whenever zsarbench starts."""

from zsarbench import hookimpl

zsarbench_interface = 1  # the version of zsarbench.plugins.hookspecs that this was written for


@hookimpl
def zsarbench_register(registry):
    """Add what this plugin brings; a summary is one sentence, `trained_on=()` means nothing before the run."""
    # <method>
    registry.add(
        "method",
        "my-plugin",
        "my_plugin.method:RidgeToText",
        summary="A ridge regression from a clip's mean features to its class's text, then the cosine.",
        source="The name and address of your paper",
        trained_on=(),
        defaults={"visual": "efficientnet-lite0", "text": "minilm-l6"},
    )
    # </method>
    # <loss>
    registry.add(
        "loss",
        "my-plugin",
        "my_plugin.loss:SquaredHinge",
        summary="The squared hinge of Euclidean distances.",
        source="The name and address of your paper",
        trained_on=(),
    )
    # </loss>
    # <visual>
    registry.add(
        "visual",
        "my-plugin",
        "my_plugin.visual:Colours",
        summary="The mean colours of sixteen fields of a frame.",
        source="The name and address of your paper",
        trained_on=(),
    )
    # </visual>
    # <text>
    registry.add(
        "text",
        "my-plugin",
        "my_plugin.text:HashedWords",
        summary="Words counted in hashed bins.",
        source="The name and address of your paper",
        trained_on=(),
    )
    # </text>
    # <negatives>
    registry.add(
        "negatives",
        "my-plugin",
        "my_plugin.negatives:OtherTexts",
        summary="Texts of other clips, drawn uniformly.",
        source="The name and address of your paper",
        trained_on=(),
    )
    # </negatives>
    # <dataset>
    registry.add(
        "dataset",
        "my-plugin",
        "my_plugin.dataset:Listed",
        summary="Clips listed in a CSV file, with captions.",
        source="Where the clips and captions come from",
        trained_on=(),
    )
    # </dataset>
    # <protocol>
    registry.add_protocols("my_plugin")
    # </protocol>
    # <reporter>
    registry.add("reporter", "my-plugin", "my_plugin.reporter:Lines", summary="One line for each row.")
    # </reporter>
