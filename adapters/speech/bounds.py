"""The bounds of a recording's sound. An hour in stereo at 48 kHz is within them."""

MIN_RATE = 4_000
MAX_RATE = 192_000
MAX_CHANNELS = 8
# Over all channels. A small file can hold thousands of millions of samples, and decoding them takes minutes.
MAX_SAMPLES = 3600 * 48_000 * 2
