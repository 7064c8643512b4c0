"""The load configuration: its models, and what each setting may say."""

from rsloader_provider.core.config.copy import CopyOptions
from rsloader_provider.core.config.load import LoadConfig
from rsloader_provider.core.config.target import Target

__all__ = ["CopyOptions", "LoadConfig", "Target"]
