"""The one sample rate of all features, and the way there from any other."""

import numpy as np
from jaxtyping import Float32

from snaps.errors import InputError

#: Samples per second of all audio from which features are computed.
RATE = 16_000


def resample(samples: Float32[np.ndarray, " sample"], rate: int) -> Float32[np.ndarray, " resampled"]:
    """Bring mono audio to 16 kHz (soxr's high-quality band-limited resampling).

    Parameters
    ----------
    samples : array of shape (samples,)
        Mono audio.
    rate : int
        Its samples per second.

    Returns
    -------
    array of shape (ceil(samples · 16000 / rate),)
        The same sound at 16 kHz; the very same array if it has that rate already.

    Raises
    ------
    InputError
        If the rate is not positive.
    """
    if not rate > 0:
        raise InputError(f"the sample rate is {rate!r}; accepted are rates above 0 Hz")
    if rate == RATE:
        return samples
    import librosa

    resampled: np.ndarray = librosa.resample(samples, orig_sr=rate, target_sr=RATE, res_type="soxr_hq")
    return resampled.astype(np.float32, copy=False)
