"""Apache Airflow provider for peer-to-peer text messages: each customer gets their own text."""

__version__ = "0.1.0"
