"""The way back: what formats say in pixels becomes labels and suggestions on the map."""

from geolabel.predictions.options import EXACT, BackOptions
from geolabel.predictions.report import PredictionReport
from geolabel.predictions.run import check_model, find_format, import_pictures, suggest

__all__ = ["EXACT", "BackOptions", "PredictionReport", "check_model", "find_format", "import_pictures", "suggest"]
