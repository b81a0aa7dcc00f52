"""What runs leave on disk: records, their keys, whole files, and where they were made."""
