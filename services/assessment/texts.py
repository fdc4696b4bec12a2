"""Assessment's own sentences. It has none yet: it refuses nothing that the chassis does not already say."""

from chassis.catalogue import Texts

TEXTS: Texts = {}
