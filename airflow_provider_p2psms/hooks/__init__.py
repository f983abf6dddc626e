"""Airflow's way to the gateway: a connection in, a client out."""
