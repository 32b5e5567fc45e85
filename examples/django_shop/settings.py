"""As little of Django as the example needs, and four settings of Greenroom's."""

import os

SECRET_KEY = os.environ["SHOP_SECRET_KEY"]
INSTALLED_APPS = ["campaigns"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DATABASE"]}}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

#: Greenroom's broker; and 360dialog, or the sandbox, with this number's key.
GREENROOM_BROKER = os.environ["SHOP_GREENROOM_BROKER"]
WHATSAPP_API = os.environ["SHOP_API_URL"]
WHATSAPP_KEY = os.environ["SHOP_API_KEY"]
