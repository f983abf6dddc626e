"""The gateway: HTTP, its documents, and what its answers mean. Knows neither rows' origins nor Airflow."""
