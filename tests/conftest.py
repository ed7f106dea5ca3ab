"""What every test shares: the requirement marker, and how hypothesis behaves here."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["requirements_plugin", "pytester"]

settings.register_profile(
    "stepup",
    deadline=None,  # a busy machine is not a defect
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("stepup")
