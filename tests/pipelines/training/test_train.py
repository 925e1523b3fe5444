"""Training repeats exactly, and depends on its data and settings alone."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pipelines import storage
from pipelines.manifest import ManifestMismatch
from pipelines.training import model
from pipelines.training.features import FEATURES
from pipelines.training.ingest import Dataset, ingest, read_frame
from pipelines.training.train import Device, TrainedModel, TrainSettings, train
from stackyard.errors import InvalidInput, UserError


def test_the_same_manifest_and_settings_give_the_same_bytes(
    trained: TrainedModel, january: Dataset, few_trees: TrainSettings, tmp_path: Path
):
    again = train(january, str(tmp_path), few_trees)
    assert again.model_sha256 == trained.model_sha256
    assert storage.sha256(storage.read_bytes(again.model_uri)) == again.model_sha256


def test_threads_do_not_change_the_model_and_the_seed_does(
    trained: TrainedModel, january: Dataset, few_trees: TrainSettings, tmp_path: Path
):
    threads = train(january, str(tmp_path), dataclasses.replace(few_trees, threads=2))
    assert threads.model_sha256 == trained.model_sha256
    assert train(january, str(tmp_path), dataclasses.replace(few_trees, seed=1)).model_sha256 != trained.model_sha256


def test_other_data_gives_another_model(
    trained: TrainedModel, february: Dataset, few_trees: TrainSettings, tmp_path: Path
):
    assert train(february, str(tmp_path), few_trees).model_sha256 != trained.model_sha256


def test_the_model_file_says_what_it_was_trained_on_and_how_to_read_rows(trained: TrainedModel, january: Dataset):
    loaded = model.load(trained.model_uri, trained.model_sha256)
    assert loaded.card.manifest_sha256 == january.manifest_sha256
    assert loaded.card.months == ("2013-01",)
    assert loaded.card.spec.columns == tuple(feature.name for feature in FEATURES)
    predicted = loaded.predict(read_frame(january).head(50))
    assert predicted.shape == (50,)
    assert ((predicted > 0) & (predicted < 1)).all()


def test_importance_covers_every_feature_and_sums_to_one(trained: TrainedModel):
    names, shares = zip(*trained.importance, strict=True)
    assert sorted(names) == sorted(feature.name for feature in FEATURES)
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert list(shares) == sorted(shares, reverse=True)


def test_flights_that_never_arrived_are_not_trained_on(trained: TrainedModel, january: Dataset):
    arrivals = read_frame(january)["arr_delay"].dropna()
    assert trained.rows == len(arrivals) < january.rows
    assert trained.late_rate == pytest.approx((arrivals > 30).mean(), abs=1e-6)


def test_nothing_is_trained_on_files_that_differ_from_the_manifest(
    source: Path, few_trees: TrainSettings, tmp_path: Path
):
    dataset = ingest(str(tmp_path), "2013-01", "2013-01", source=str(source))
    path = tmp_path / "flights/2013-01.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(ManifestMismatch, match="nothing is trained or evaluated on it"):
        train(dataset, str(tmp_path / "run"), few_trees)
    assert not (tmp_path / "run").exists()


def test_nothing_is_trained_under_a_manifest_hash_that_is_not_the_manifests(
    january: Dataset, few_trees: TrainSettings, tmp_path: Path
):
    with pytest.raises(ManifestMismatch):
        train(dataclasses.replace(january, manifest_sha256="0" * 64), str(tmp_path), few_trees)


def test_a_month_without_late_flights_teaches_nothing(planted: Any, few_trees: TrainSettings, tmp_path: Path):
    folder = planted(lambda flights: flights.assign(arr_delay=0.0))
    dataset = ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=folder)
    with pytest.raises(UserError, match="3000 arrivals and 0 late ones"):
        train(dataset, str(tmp_path), few_trees)


def test_cuda_without_a_cuda_build_is_refused_instead_of_training_on_the_cpu(january: Dataset, tmp_path: Path):
    import xgboost

    if xgboost.build_info()["USE_CUDA"]:
        pytest.skip("this xgboost has CUDA")
    with pytest.raises(UserError, match="built without CUDA"):
        train(january, str(tmp_path), TrainSettings(device=Device.CUDA, trees=1))


def test_cuda_without_a_gpu_is_refused_even_if_the_build_has_cuda(
    january: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import xgboost

    if xgboost.build_info()["USE_CUDA"]:
        pytest.skip("this xgboost may have a GPU")
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": True})
    with pytest.raises(UserError, match="found no GPU and trained on cpu"):
        train(january, str(tmp_path), TrainSettings(device=Device.CUDA, trees=1))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("device", "tpu"),
        ("trees", 0),
        ("threads", -1),
        ("max_depth", 2.5),
        ("trees", True),
        ("learning_rate", 0),
        ("subsample", 1.5),
        ("seed", -1),
    ],
)
def test_impossible_settings_are_refused_by_name_with_an_example(setting: str, value: Any):
    with pytest.raises(InvalidInput, match=rf"{setting}.*for example|{setting}.*device=cpu"):
        TrainSettings(**{setting: value})


def test_a_replaced_model_file_is_not_loaded(trained: TrainedModel, tmp_path: Path):
    content = storage.read_bytes(trained.model_uri)
    (tmp_path / "replaced.ubj").write_bytes(content + b" ")
    with pytest.raises(UserError, match="it was replaced"):
        model.load(str(tmp_path / "replaced.ubj"), trained.model_sha256)
    (tmp_path / "noise.ubj").write_bytes(b"noise")
    with pytest.raises(UserError, match="is not an xgboost model"):
        model.load(str(tmp_path / "noise.ubj"))


def test_a_model_of_somebody_else_is_not_used(tmp_path: Path):
    import numpy as np
    import xgboost

    foreign = xgboost.train({"nthread": 1}, xgboost.DMatrix(np.zeros((4, 1)), label=np.arange(4)), 1)
    foreign.save_model(tmp_path / "foreign.ubj")
    with pytest.raises(UserError, match="not trained by this pipeline"):
        model.load(str(tmp_path / "foreign.ubj"))
