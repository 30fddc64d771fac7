"""A transform, made of torchvision's functions alone."""

from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F


class Turn(v2.Transform):
    """Turns everything by quarters of a circle."""

    def __init__(self, quarters):
        super().__init__()
        self.quarters = quarters

    def transform(self, inpt, params):
        return F.rotate(inpt, 90.0 * self.quarters, expand=True)
