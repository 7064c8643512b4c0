"""Nothing is here: the package is `rsloader_provider`.

Airflow 3.3 makes a module's name of the name of each provider's distribution, to look for examples of DAGs in it, and
logs a traceback where there is no such module.
"""
