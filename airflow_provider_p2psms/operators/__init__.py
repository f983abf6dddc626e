"""Airflow's tasks: thin, with one translation of errors into what Airflow makes of a failed try."""
