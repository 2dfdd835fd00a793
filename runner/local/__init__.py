"""The built-in Realtime server: no key, no network, answers by rules."""
