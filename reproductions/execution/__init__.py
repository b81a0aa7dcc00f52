"""Specs to records: where and when runs are made."""
