"""Notifiers: what Airflow calls back when something has happened."""
