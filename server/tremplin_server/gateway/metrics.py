"""What an operator can watch, in Prometheus' terms."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CONNECTIONS = Gauge(
    "tremplin_agent_connections",
    "Control channels that are admitted now",
    multiprocess_mode="livesum",
)
ADMITTED = Counter("tremplin_agents_admitted", "Agents let in", ["how"])
REFUSED = Counter("tremplin_agents_refused", "Agents not let in, or told to leave", ["code"])
DROPPED = Counter("tremplin_agents_dropped", "Connections dropped because nobody answered")
SESSIONS = Gauge(
    "tremplin_sessions", "Sessions whose technician is at this worker", multiprocess_mode="livesum"
)
SESSION_ENDS = Counter("tremplin_sessions_ended", "Sessions that are over", ["code"])
MESSAGES = Counter("tremplin_agent_messages", "Messages of admitted agents", ["type"])
NOTICES = Counter("tremplin_bus_notices", "Notices delivered by the bus", ["topic"])
BATCH = Histogram(
    "tremplin_batch_seconds",
    "Time of the database's batches",
    ["what"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
BASTION_CONNECTIONS = Gauge(
    "tremplin_bastion_connections",
    "Connections to the SSH bastion",
    multiprocess_mode="livesum",
)
BASTION_REFUSED = Counter(
    "tremplin_bastion_refused", "Channels of the bastion that were not opened", ["code"]
)
