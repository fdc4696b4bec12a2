"""The demo district: fictional, seeded, the same to the byte each time; its shape is that of public figures."""

from deploy.demo.district import District, build
from deploy.demo.edges import AFTER_IMPORT, Step
from deploy.demo.sheetfile import write_workbook

__all__ = ["AFTER_IMPORT", "District", "Step", "build", "write_workbook"]
