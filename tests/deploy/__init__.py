"""Tests of rt-run under the programs that start it: systemd, a container's PID 1 rules, a service manager's socket."""
