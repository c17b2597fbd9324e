# SPDX-License-Identifier: Apache-2.0
# Neither half: package.clean removes and verifies both, the rest finds nothing left to do.
# The agent is not stopped first: if the removal fails, the host can still be reached.
include:
  - .package.clean
  - .record.clean
  - .config.clean
