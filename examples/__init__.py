"""A demo campaign and folders of real media, made at run time: no binary is kept in the repository."""
