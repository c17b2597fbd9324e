"""What to reach on two cores, and what MeshCentral 1.1.55 reached on the same kind of machine."""

from tests.bench.figures import Better, Target

EMPTY = Target(150, "MiB", peer="186 MiB")
PER_AGENT = Target(25, "KiB", peer="about 70 KiB")
RECONNECTS = Target(500, "/s", Better.MORE, peer="8 to 17 /s")
HUNDRED_BACK = Target(3, "s", peer="12–19 s (200: 24 s)")
ALL_BACK = Target(20, "s")
NEW_ONLINE = Target(1.0, "s", peer="median 1.1 s")
KNOWN_ONLINE = Target(0.6, "s", peer="315 ms")
KILL_NOTICED = Target(0.25, "s", peer="3 ms")
CUT_NOTICED = Target(35, "s", peer="median 101 s (36–150)")
BACK_AFTER_CUT = Target(5, "s", peer="median 6.5 s")
BACK_AFTER_CUT_WORST = Target(15, "s", peer="71 s")
BIN_SIZE = Target(15, "MB")
INSTALL_ONLINE = Target(5, "s")
AGENT_MEMORY = Target(40, "MiB", peer="12 MiB (C)")
AGENT_CPU = Target(0.05, "s/min")
SESSION_START = Target(150, "ms", peer="256 ms")
SESSION_ADDED = Target(150, "ms")
ECHO_ADDED = Target(5, "ms", peer="1.2 ms in all")
SCP_SHARE = Target(0.4, "of direct", Better.MORE)
SCP = Target(80, "MB/s", Better.MORE, peer="62 up, 17 down")
