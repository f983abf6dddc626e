"""Waiting in Airflow's triggerer."""
