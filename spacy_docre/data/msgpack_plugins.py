"""How srsly, with which spaCy reads and writes span groups, finds what packages add to msgpack."""

from srsly.msgpack import msgpack_decoders, msgpack_encoders


def look_up_once() -> None:
    """Register the functions that installed packages add to msgpack. srsly looks among all entry
    points of all packages again for each object, which takes three quarters of the time of reading
    or writing a span group: a document with twenty clusters has twenty. What is installed was
    listed when srsly was imported, so nothing is missed.
    """
    for registry in (msgpack_encoders, msgpack_decoders):
        if registry.entry_points:
            added = registry.get_entry_points()
            registry.entry_points = False
            # Functions that are registered go before entry points of the same name.
            known = registry.get_all()
            for name, function in added.items():
                if name not in known:
                    registry.register(name, func=function)
