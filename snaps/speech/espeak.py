"""eSpeak NG through its C interface, in a process of its own.

eSpeak NG keeps state from sentence to sentence that only a fresh process resets, so a process speaks one sentence and
ends. To start within some hundredths of a second, it imports this file without the package around it, and this file
imports next to nothing.

The C interface is that of ``speak_lib.h``; the names of its constants are kept.
"""

import ctypes
import sys

AUDIO_OUTPUT_SYNCHRONOUS = 2
espeakINITIALIZE_PHONEME_EVENTS = 0x0001  # noqa: N816
espeakINITIALIZE_DONT_EXIT = 0x8000  # noqa: N816
espeakCHARS_UTF8 = 1  # noqa: N816
espeakEVENT_WORD = 1  # noqa: N816
espeakEVENT_PHONEME = 7  # noqa: N816
espeakRATE, espeakPITCH, espeakRANGE = 1, 3, 4  # noqa: N816
POS_CHARACTER = 1

#: Zero-width space: it parts words as a space does, but keeps eSpeak NG from taking two words (``in the``) as one entry
#: of its dictionary, of which it would report one beginning only.
SEPARATOR = "\u200b"

#: Embedded command: some variants bring an echo that would fill the silences; 1 of 255 is the least.
LEAST_ECHO = "\x011H"


class _Event(ctypes.Structure):
    """``espeak_EVENT``; of the union ``id`` only the mnemonic is needed, which has no final zero if it fills it."""

    _fields_ = (
        *(("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int)),
        *(("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int)),
        *(("user_data", ctypes.c_void_p), ("id", ctypes.c_char * 8)),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def load(path: str, data: str, voice: str) -> tuple[ctypes.CDLL, int]:
    """Load the shared library and choose a voice.

    Parameters
    ----------
    path : str
        Path of the shared library.
    data : str
        Path of the folder ``espeak-ng-data``, of some 160 characters at most.
    voice : str
        Voice and variant, e.g. ``en-us+f3``.

    Returns
    -------
    library : CDLL
        The library, initialised.
    rate : int
        Samples a second of what it speaks.

    Raises
    ------
    RuntimeError
        If the library cannot use the data, or has no such voice.
    """
    library = ctypes.CDLL(path)
    flags = espeakINITIALIZE_PHONEME_EVENTS | espeakINITIALIZE_DONT_EXIT
    rate = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), flags)
    if rate <= 0:
        raise RuntimeError(f"eSpeak NG cannot be initialised with the data in {data}")
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"eSpeak NG has no voice {voice!r}")
    return library, rate


def speak(path: str, voice: str, *numbers: str) -> None:
    """Speak the text on standard input; the data lie in the working folder.

    Standard output gets the samples a second, a line ``word SAMPLE`` or ``phoneme SAMPLE MNEMONIC`` an event in the
    order of speaking, an empty line, then 16-bit mono samples.

    Parameters
    ----------
    path, voice : str
        As `load` takes them.
    *numbers : str
        Words a minute; pitch and its range from 0 to 100, 50 being the voice's own; seed of a breathy voice's noise,
        which would otherwise follow from the time of day.
    """
    library, samples_a_second = load(path, ".", voice)
    text = sys.stdin.buffer.read().decode()
    pcm = bytearray()
    lines = [str(samples_a_second)]

    def take(samples: "ctypes._Pointer[ctypes.c_short]", n_samples: int, events: "ctypes._Pointer[_Event]") -> int:
        if samples and n_samples > 0:
            pcm.extend(ctypes.string_at(samples, 2 * n_samples))
        index = 0
        # An event of type 0 ends the list.
        while events[index].type:
            event = events[index]
            if event.type == espeakEVENT_WORD:
                lines.append(f"word {event.sample}")
            elif event.type == espeakEVENT_PHONEME:
                lines.append(f"phoneme {event.sample} {event.id.decode()}")
            index += 1
        return 0

    callback = _Callback(take)
    library.espeak_SetSynthCallback(callback)
    rate, pitch, pitch_range, seed = map(int, numbers)
    library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
    for parameter, value in ((espeakRATE, rate), (espeakPITCH, pitch), (espeakRANGE, pitch_range)):
        library.espeak_SetParameter(parameter, value, 0)
    written = (LEAST_ECHO + text).encode() + b"\0"
    failed = library.espeak_Synth(
        written, ctypes.c_size_t(len(written)), 0, POS_CHARACTER, 0, espeakCHARS_UTF8, None, None
    )
    if failed or library.espeak_Synchronize():
        raise RuntimeError(f"eSpeak NG could not speak {text!r}")
    sys.stdout.buffer.write("\n".join(lines).encode() + b"\n\n" + pcm)
    sys.stdout.buffer.flush()
