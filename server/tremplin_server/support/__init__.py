"""Support sessions: somebody who needs help lets a technician onto his computer."""
