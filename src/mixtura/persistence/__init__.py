"""The model file: arrays in safetensors, settings as JSON in its header; nothing in it can run."""

from mixtura.persistence.model_file import FORMAT_VERSION, ModelFile, read_model_file, write_model_file
from mixtura.persistence.objects import from_plain, register, to_plain

__all__ = [
    "FORMAT_VERSION",
    "ModelFile",
    "from_plain",
    "read_model_file",
    "register",
    "to_plain",
    "write_model_file",
]
