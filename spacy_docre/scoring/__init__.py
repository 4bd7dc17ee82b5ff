from ..moved import former

__getattr__ = former(__name__)
