"""The `greenroom` command."""

from cli.main import main
from greenroom.left_out import leave_out_metrics

__all__ = ["main"]

leave_out_metrics()
