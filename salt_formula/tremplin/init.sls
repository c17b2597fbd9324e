# SPDX-License-Identifier: Apache-2.0
# One running Jump Client on this host, and the one record that belongs to it.
include:
  - .config
  - .package
  - .service
  - .record
