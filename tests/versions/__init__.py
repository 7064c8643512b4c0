"""The package in every Airflow that people run: `make versions`.

`pins/` holds what managed Airflow installs: the names and versions that the public repository
`aws/amazon-mwaa-docker-images` has in `images/airflow/VERSION/etc/airflow_constraints.txt`, which are those of Apache
Airflow's own constraints.
"""
