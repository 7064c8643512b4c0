# The image of docker-compose.yaml: Airflow with this provider, and the local AWS and Redshift.
FROM python:3.12-slim

RUN useradd --create-home --uid 50000 airflow
WORKDIR /opt/rsloader
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY rsloader_provider rsloader_provider
COPY dags dags
RUN pip install --no-cache-dir -c constraints.txt ".[local,compose]"

USER airflow
ENV AIRFLOW_HOME=/home/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/rsloader/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    PYTHONUNBUFFERED=1
RUN mkdir -p /home/airflow/logs
