"""Systems to break."""

from tests.e2e.conftest import api_alone, whole

__all__ = ["api_alone", "whole"]
