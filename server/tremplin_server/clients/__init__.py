"""Jump Clients: their records, enrolment, life cycle, commands, tombstones and drift."""
