"""The model file: arrays in safetensors, settings as JSON in its header; nothing in it can run."""

from mixtura.persistence.model_file import FORMAT_VERSION, ModelFile, read_model_file, write_model_file

__all__ = ["FORMAT_VERSION", "ModelFile", "read_model_file", "write_model_file"]
