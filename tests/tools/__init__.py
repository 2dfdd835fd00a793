"""Tools: real programs, real servers, real functions."""
