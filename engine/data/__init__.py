"""Labelled pictures that networks read: where they come from, how they become vectors, what is held out."""

from engine.data.dataset import Dataset
from engine.data.digits import digits
from engine.data.errors import DataError
from engine.data.load import load_dataset
from engine.data.split import Split, split

__all__ = ["DataError", "Dataset", "Split", "digits", "load_dataset", "split"]
