"""One send from rows to result. Knows rows and the gateway; never Airflow."""
