"""The installer inside the .bin: checks, unpacking, boot registration, enrolment."""
