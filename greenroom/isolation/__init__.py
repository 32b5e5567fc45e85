"""Files are looked at and fixed in processes of their own, which may die, hang or grow and harm no other."""
