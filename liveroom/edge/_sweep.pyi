def write_all(descriptors: list[int], frame: bytes) -> list[tuple[int, int]]:
    """Send a frame to each socket once, without waiting.

    Returns index and bytes taken (or -errno) of each that did not take all of it.

    Raises:
        ValueError: a negative descriptor.

    """
