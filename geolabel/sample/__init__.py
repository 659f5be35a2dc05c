"""The generated demo scene: an aerial photograph of a place that does not exist, and the truth that it is drawn from."""

from geolabel.sample.scene import CLASSES, partial_labels, truth, write_scene

__all__ = ["CLASSES", "partial_labels", "truth", "write_scene"]
