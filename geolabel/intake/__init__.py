"""What comes in: labels of a file against a project. Which class, which shape, which place; every refusal is a sentence."""

from geolabel.intake.pipeline import MAX_VERTICES, Options, run
from geolabel.intake.report import ImportReport

__all__ = ["MAX_VERTICES", "ImportReport", "Options", "run"]
