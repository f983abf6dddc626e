"""Airflow with Celery, Redis, PostgreSQL and object storage, as processes on this machine."""
