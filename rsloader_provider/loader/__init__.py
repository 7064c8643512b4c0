"""What is done with a load: discover, buffer, load, look up. Written on ports; knows neither AWS nor Airflow."""
