"""The local endpoint: a Realtime server that needs no key and no network, and answers by rules or small models."""
