"""Look at neural networks the way neuroscientists look at brains.

`snaps` plays a corpus of speech to a network, aligns every layer's responses at the moment that mattered for
the network's decision, averages them by letter, phoneme or any label, and compares the profiles layer by
layer and network by network. Names are loaded when they are first used, from the modules that the stub beside
this file names: ``import snaps`` itself is light.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
