"""Files are looked at and mended in processes of their own, which may die, hang or grow and harm no other."""
