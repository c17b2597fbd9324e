"""Tests of the Windows installers and agent under Wine. None of them ran on Windows itself."""
