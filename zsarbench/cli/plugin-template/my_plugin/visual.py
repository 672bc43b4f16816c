"""A visual encoder: frames to one row of features for each step."""

from zsarbench.interfaces import Sampling, Steps

from my_plugin.frames import Fields


class Colours:
    """Takes the mean colours of sixteen fields of a frame, one frame a second."""

    needs = "frames"
    space = None  # the name of a text encoder's space where a cosine between the two means something
    dim = 48

    def __init__(self, *, max_steps: int = 8):
        self.max_steps = max_steps
        self.sampling = Sampling(frames_per_second=1.0, max_steps=max_steps)
        self.prepare = Fields()
        # Features are stored under it: change it where code gives other ones, else the old ones are read, and a run
        # says that another version computed them. Add "weights_sha256" where there are weights.
        self.fingerprint = {"preprocessing": "mean colours of 4x4 fields"}

    def encode(self, clips):
        """Return (N, T, 48) for frames (N, T, 1, 3, 4, 4); zero where the mask is False."""
        rows = clips.frames.float().div(255).flatten(2)
        return Steps(rows * clips.mask[..., None], clips.mask)
