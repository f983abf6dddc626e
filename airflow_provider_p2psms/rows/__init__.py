"""Rows: where they come from, and what makes one a good message. Knows neither HTTP nor Airflow."""
