"""The collection's molecule scenarios, each from nothing to nothing."""

from __future__ import annotations

import pytest

from tests.lab import scenarios
from tests.lab.lab import Lab
from tests.lab.site import Site


@pytest.mark.timeout(900)
@pytest.mark.turns(2)
@pytest.mark.parametrize("scenario", scenarios.names())
def test_scenario(lab: Lab, site: Site, scenario: str) -> None:
    done = scenarios.run(lab, site, scenario)
    assert done.returncode == 0, done.stdout
