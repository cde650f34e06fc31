"""The tests. A loaded machine must not fail a property for being slow once."""

from hypothesis import settings

settings.register_profile("kildesvar", deadline=None)
settings.load_profile("kildesvar")
