"""Msgpack, in which documents and models are saved, before it is unpacked."""

from io import BytesIO

from srsly.msgpack import Unpacker


def walk_through(data: bytes) -> Unpacker:
    """Begin to walk through a message without unpacking it.

    data (bytes): The message.
    RETURNS (Unpacker): Stands at its beginning.
    """
    return Unpacker(BytesIO(data), max_buffer_size=max(len(data), 1))


def check_lengths(data: bytes) -> None:
    """Check that all is there that a message says to hold. Unpacking makes room for the parts of a
    list before it looks for them: of a list in a list in a list, hundreds of times its size.

    data (bytes): The message.
    RAISES (ValueError): If there is less or more.
    """
    unpacker = walk_through(data)
    try:
        unpacker.skip()
    except Exception as error:
        # Those of msgpack have no class in common.
        raise ValueError(f"it is cut, or no msgpack ({type(error).__name__})") from None
    if unpacker.tell() != len(data):
        raise ValueError("it goes on after its end")
