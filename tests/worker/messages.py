"""The messages between the Functions host and a Python worker, as far as these tests need them.

They are real protobuf messages, so that a value that the wire does not carry fails here too. Field numbers are ours.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "worker_test"
# A kind is a scalar, a message or an enum; "*" before it makes a list, "%" a map from strings.
_MESSAGES = {
    "BindingInfo": "type:string data_type:BindingInfo.DataType direction:BindingInfo.Direction",
    "FunctionLoadRequest": "function_id:string metadata:RpcFunctionMetadata",
    "FunctionLoadResponse": "function_id:string result:StatusResult",
    "FunctionMetadataResponse": (
        "function_metadata_results:*RpcFunctionMetadata result:StatusResult use_default_metadata_indexing:bool"
    ),
    "FunctionsMetadataRequest": "function_app_directory:string",
    "InvocationRequest": (
        "invocation_id:string function_id:string input_data:*ParameterBinding trigger_metadata:%TypedData "
        "trace_context:RpcTraceContext retry_context:RetryContext"
    ),
    "InvocationResponse": (
        "invocation_id:string output_data:*ParameterBinding return_value:TypedData result:StatusResult"
    ),
    "NullableBool": "value:bool",
    "NullableDouble": "value:double",
    "NullableString": "value:string",
    "ParameterBinding": "name:string rpc_data/data:TypedData",
    "RetryContext": "retry_count:int32 max_retry_count:int32 exception:RpcException",
    "RpcException": "source:string stack_trace:string message:string",
    "RpcFunctionMetadata": (
        "name:string function_id:string directory:string script_file:string entry_point:string language:string "
        "is_proxy:bool managed_dependency_enabled:bool bindings:%BindingInfo raw_bindings:*string "
        "retry_options:RetryContext properties:%string"
    ),
    "RpcHttp": (
        "method:string url:string headers:%string body:TypedData params:%string status_code:string query:%string "
        "enable_content_negotiation:bool cookies:*RpcHttpCookie"
    ),
    "RpcHttpCookie": (
        "name:string value:string domain:NullableString path:NullableString expires:NullableString "
        "secure:NullableBool http_only:NullableBool same_site:RpcHttpCookie.SameSite max_age:NullableDouble"
    ),
    "RpcTraceContext": "trace_parent:string trace_state:string attributes:%string",
    "StatusResult": "status:StatusResult.Status result:string exception:RpcException",
    "StreamingMessage": (
        "request_id:string content/worker_init_request:WorkerInitRequest "
        "content/functions_metadata_request:FunctionsMetadataRequest "
        "content/function_load_request:FunctionLoadRequest content/invocation_request:InvocationRequest"
    ),
    "TypedData": "data/string:string data/json:string data/bytes:bytes data/http:RpcHttp data/int:int64",
    "WorkerInitRequest": "host_version:string capabilities:%string function_app_directory:string",
    "WorkerInitResponse": "capabilities:%string result:StatusResult worker_metadata:WorkerMetadata",
    "WorkerMetadata": (
        "runtime_name:string runtime_version:string worker_version:string worker_bitness:string "
        "custom_properties:%string"
    ),
}
_ENUMS = {
    "StatusResult.Status": "Failure Success Cancelled",
    "BindingInfo.DataType": "undefined string binary stream",
    "BindingInfo.Direction": "in out inout",
    "RpcHttpCookie.SameSite": "None Lax Strict ExplicitNone",
}
_Field = descriptor_pb2.FieldDescriptorProto


def worker_messages() -> SimpleNamespace:
    """Return the message classes by name."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        _add_enums(message)
        for number, field in enumerate(fields.split(), 1):
            _add_field(message, number, field)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _MESSAGES}
    return SimpleNamespace(**{name: message_factory.GetMessageClass(each) for name, each in found.items()})


def _add_enums(message: Any) -> None:
    for qualified, values in _ENUMS.items():
        owner, _, name = qualified.partition(".")
        if owner == message.name:
            enum = message.enum_type.add(name=name)
            for number, value in enumerate(values.split()):
                enum.value.add(name=value, number=number)


def _add_field(message: Any, number: int, text: str) -> None:
    oneof_and_name, _, kind = text.rpartition(":")
    oneof, _, name = oneof_and_name.rpartition("/")
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if oneof:
        if not message.oneof_decl:
            message.oneof_decl.add(name=oneof)
        field.oneof_index = 0
    if kind[0] in "*%":
        field.label = _Field.LABEL_REPEATED
    if kind[0] == "%":
        kind = _add_map_entry(message, name, kind[1:])
    _set_kind(field, kind.lstrip("*"))


def _add_map_entry(message: Any, name: str, kind: str) -> str:
    """Add the nested message that a map field is made of, and return its kind."""
    entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
    entry.options.map_entry = True
    for number, (part, part_kind) in enumerate((("key", "string"), ("value", kind)), 1):
        _set_kind(entry.field.add(name=part, number=number, label=_Field.LABEL_OPTIONAL), part_kind)
    return f"{message.name}.{entry.name}"


def _set_kind(field: Any, kind: str) -> None:
    if kind[0].islower():
        field.type = getattr(_Field, f"TYPE_{kind.upper()}")
    else:
        field.type = _Field.TYPE_ENUM if kind in _ENUMS else _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
