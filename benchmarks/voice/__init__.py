"""How soon the local endpoint answers somebody who speaks, and how well it hears; needs the extra `local`."""
