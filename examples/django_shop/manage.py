"""Django's command line for the example: ``python examples/django_shop/manage.py hand_over spring-sale``."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
execute_from_command_line(sys.argv)
