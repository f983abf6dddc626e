"""Apache Airflow provider for peer-to-peer text messages: each customer gets their own, exactly once."""

__version__ = "0.1.0"
