"""Half-public names under `_compat`, for the packages that import them."""

from enum import Enum

import fastapi._compat as theirs
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.datastructures import UploadFile

from slipstream import _compat as ours


class Kind(Enum):
    a = "a"


class Inner(BaseModel):
    kind: Kind


class Model(BaseModel):
    inner: list[Inner] | None = None


ANNOTATIONS = [
    int,
    str | None,
    bytes,
    bytes | None,
    list[bytes],
    list[int],
    tuple[int, ...],
    dict,
    Model,
    UploadFile,
    Kind,
]


def test_questions_about_annotations_are_answered_as_fastapi_answers_them() -> None:
    """Packages decide by them what a parameter is."""
    for name in (
        "field_annotation_is_scalar", "field_annotation_is_scalar_sequence", "field_annotation_is_sequence",
        "is_bytes_or_nonable_bytes_annotation", "is_bytes_sequence_annotation", "annotation_is_pydantic_v1",
    ):  # fmt: skip
        for annotation in ANNOTATIONS:
            assert getattr(ours, name)(annotation) == getattr(theirs, name)(annotation), (name, annotation)
    for value in ("a", b"a", [1], (1,), {1}, {}, 1):
        assert ours.value_is_sequence(value) == theirs.value_is_sequence(value)
    assert ours.lenient_issubclass(list[int], list) is theirs.lenient_issubclass(list[int], list)


def test_schemas_are_made_as_fastapi_makes_them() -> None:
    """As titiler and cadwyn do."""
    results = []
    for module in (ours, theirs):
        fields = [module.ModelField(name="model", field_info=FieldInfo(annotation=Model))]
        models = module.get_flat_models_from_fields(fields, known_models=set())
        names = module.get_model_name_map(models)
        mapping, definitions = module.get_definitions(fields=fields, model_name_map=names)
        schema = module.get_schema_from_model_field(field=fields[0], model_name_map=names, field_mapping=mapping)
        results.append((models, names, definitions, schema))

    assert results[0] == results[1]
    assert results[0][0] == {Model, Inner, Kind}
    assert [field.name for field in ours.get_cached_model_fields(Model)] == ["inner"]


def test_the_version_facts_are_fastapis() -> None:
    """Packages branch on them."""
    assert ours.PYDANTIC_VERSION_MINOR_TUPLE == theirs.PYDANTIC_VERSION_MINOR_TUPLE
    assert ours.Undefined is theirs.Undefined
    assert ours.PYDANTIC_V2
