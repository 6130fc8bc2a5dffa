"""What takers (runtime/take.py, runtime/form.py) have to know of fields, told in their terms."""

from slipstream._engine.plan.body import form_models
from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.flatten import request_names
from slipstream._engine.runtime.form import FormItem, FormModel
from slipstream._engine.runtime.take import Item
from slipstream._engine.signature.annotations import is_bytes, is_bytes_sequence, is_json, is_sequence


def item_of(item: ModelField, *, convert_underscores: bool = False) -> Item:
    """Tell a taker what it has to know of a field."""
    return Item(
        name=item.name,
        names=tuple(request_names(item, convert_underscores=convert_underscores)),
        is_sequence=is_sequence(item.field_info.annotation) and not is_json(item.field_info),
        check=lambda value, loc: item.validate(value, loc=loc),
        default=None if item.required else item.get_default,
        check_default=bool(item.field_info.validate_default),
    )


def form_item(item: ModelField) -> FormItem:
    """Tell a form taker what it has to know of a field."""
    info = item.field_info
    models = tuple(
        FormModel(
            fields=tuple(form_item(inner) for inner in model_fields(model)),
            keeps_extras=model.model_config.get("extra") in ("allow", "forbid"),
        )
        for model in form_models(item)
    )
    is_file = getattr(info, "slot_source", None) == "file"
    return FormItem(
        item=item_of(item),
        models=models,
        is_optional=item.field_info.annotation is not None and type(None) in getattr(info.annotation, "__args__", ()),
        reads_bytes=is_file and is_bytes(info.annotation),
        reads_bytes_list=is_file and is_bytes_sequence(info.annotation),
    )
