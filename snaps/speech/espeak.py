"""eSpeak NG through its C interface: what runs in a process of its own.

eSpeak NG keeps state from sentence to sentence that only a fresh process resets, so every recording is
spoken by a process that lives for it alone. To start within some hundredths of a second, that process
imports this file without the package around it, and this file imports next to nothing.

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

SEPARATOR = "\u200b"
"""Zero-width space: it parts words as a space does, but keeps eSpeak NG from taking two words (``in the``)
as one entry of its dictionary, of which it would report one beginning only."""

LEAST_ECHO = "\x011H"
"""Embedded command: some variants bring an echo that would fill the silences; 1 of 255 is the least."""


class _Identifier(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """``espeak_EVENT``."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identifier),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class ESpeak:
    """The library, initialised with one voice.

    Parameters
    ----------
    library : str
        Path of the shared library.
    data : str
        Path of the folder ``espeak-ng-data``, or of the folder that holds it.
    voice : str
        Voice and variant, e.g. ``en-us+f3``.

    Raises
    ------
    RuntimeError
        If the library cannot use the data, or has no such voice.
    """

    def __init__(self, library: str, data: str, voice: str) -> None:
        self._library = ctypes.CDLL(library)
        flags = espeakINITIALIZE_PHONEME_EVENTS | espeakINITIALIZE_DONT_EXIT
        self.rate: int = self._library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), flags)
        if self.rate <= 0:
            raise RuntimeError(f"eSpeak NG cannot be initialised with the data in {data}")
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"eSpeak NG has no voice {voice!r}")

    def speak(self, text: str, *, rate: int, pitch: int, pitch_range: int, seed: int) -> tuple[bytes, list[str]]:
        """Speak a text.

        Parameters
        ----------
        text : str
            The text, its words parted by `SEPARATOR`.
        rate : int
            Words a minute.
        pitch, pitch_range : int
            From 0 to 100; 50 is the voice's own.
        seed : int
            What the noise of a breathy voice follows from; left alone, that is the time of day.

        Returns
        -------
        pcm : bytes
            16-bit mono samples.
        events : list
            ``word SAMPLE`` and ``phoneme SAMPLE MNEMONIC``, in the order in which they are spoken.
        """
        pcm = bytearray()
        events: list[str] = []

        def take(
            samples: "ctypes._Pointer[ctypes.c_short]", n_samples: int, reported: "ctypes._Pointer[_Event]"
        ) -> int:
            if samples and n_samples > 0:
                pcm.extend(ctypes.string_at(samples, 2 * n_samples))
            index = 0
            # An event of type 0 ends the list.
            while reported[index].type:
                event = reported[index]
                if event.type == espeakEVENT_WORD:
                    events.append(f"word {event.sample}")
                elif event.type == espeakEVENT_PHONEME:
                    # The field has no room for a final zero: read it whole.
                    mnemonic = bytes(memoryview(event.id)).split(b"\0")[0]
                    events.append(f"phoneme {event.sample} {mnemonic.decode()}")
                index += 1
            return 0

        callback = _Callback(take)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        self._library.espeak_SetSynthCallback(callback)
        for parameter, value in ((espeakRATE, rate), (espeakPITCH, pitch), (espeakRANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        written = (LEAST_ECHO + text).encode() + b"\0"
        failed = self._library.espeak_Synth(
            written, ctypes.c_size_t(len(written)), 0, POS_CHARACTER, 0, espeakCHARS_UTF8, None, None
        )
        if failed or self._library.espeak_Synchronize():
            raise RuntimeError(f"eSpeak NG could not speak {text!r}")
        return bytes(pcm), events

    def pronounce(self, word: str) -> list[str]:
        """Mnemonics of a word's phonemes, without audio."""
        translate = self._library.espeak_TextToPhonemes
        translate.restype = ctypes.c_char_p
        buffer = ctypes.create_string_buffer(word.encode())
        position = ctypes.c_void_p(ctypes.addressof(buffer))
        # Bits 8 to 23 of the mode hold the character that is put between phonemes.
        spoken = translate(ctypes.byref(position), espeakCHARS_UTF8, ord(".") << 8)
        return [mnemonic for mnemonic in spoken.decode().replace(" ", ".").split(".") if mnemonic]


def serve(library: str, data: str, voice: str, *speech: str) -> None:
    """Speak one text, or pronounce words.

    Standard input holds the text, or one word a line. Standard output gets lines of text, an empty line,
    then samples.

    Parameters
    ----------
    library, data, voice : str
        As for `ESpeak`.
    *speech : str
        Rate, pitch, pitch range and seed of the text; nothing where words are to be pronounced.
    """
    espeak = ESpeak(library, data, voice)
    text = sys.stdin.buffer.read().decode()
    pcm = b""
    if speech:
        rate, pitch, pitch_range, seed = map(int, speech)
        pcm, events = espeak.speak(text, rate=rate, pitch=pitch, pitch_range=pitch_range, seed=seed)
        lines = [str(espeak.rate), *events]
    else:
        lines = [" ".join(espeak.pronounce(word)) for word in text.split("\n")]
    sys.stdout.buffer.write("\n".join(lines).encode() + b"\n\n" + pcm)
    sys.stdout.buffer.flush()
