"""Widths that are divided into equal parts."""

from ...errors import DocreError, Errors


def check_divides(setting: str, value: int, width: int) -> None:
    """Refuse a number of parts, of attention heads for example, that a width cannot have.

    setting (str): The setting's name.
    value (int): The number of parts.
    width (int): The width.
    RAISES (DocreError): If it is not a positive divisor of the width.
    """
    if value < 1 or width % value:
        condition = f"a divisor of the width {width}"
        raise DocreError(Errors.D020.format(setting=setting, condition=condition, value=value))
