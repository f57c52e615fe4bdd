"""The table of the C interface is that of the header."""

from __future__ import annotations

import ctypes
import json
import re
from typing import Any

import flagstone
from flagstone import Operation, Origin, Stage, _abi, _fast, _lib
from support import PROJECT

HEADER = (PROJECT / "include" / "flagstone.h").read_text()
CODE = re.sub(r"/\*.*?\*/|//[^\n]*", "", HEADER, flags=re.DOTALL)
STRUCTS: dict[str, type[ctypes.Structure]] = {
    "flagstone_str": _abi.Str,
    "flagstone_bytes": _abi.Bytes,
    "flagstone_attr": _abi.Attr,
    "flagstone_detail": _abi.Detail,
    "flagstone_default": _abi.Default,
    "flagstone_event": _abi.Notification,
    "flagstone_notification": _abi.Notification,
    "flagstone_client_status_info": _abi.ClientStatusInfo,
    "flagstone_big_segment_status": _abi.BigSegmentStatus,
    "flagstone_big_segment_store": _abi.BigSegmentStore,
}
SCALARS = {
    "void": None,
    "int32_t": ctypes.c_int32,
    "flagstone_status": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "double": ctypes.c_double,
}


def native(declared: str) -> Any:
    """The ctypes type for a C type."""
    pointers = declared.count("*")
    name = " ".join(word for word in re.findall(r"\w+", declared) if word not in ("const", "struct"))
    if pointers == 0:
        return STRUCTS.get(name) or SCALARS[name]
    if name == "char":
        return ctypes.c_char_p
    if pointers == 2:
        return ctypes.POINTER(ctypes.c_void_p)
    return ctypes.POINTER(STRUCTS[name]) if name in STRUCTS else ctypes.c_void_p


def declarations() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    found = {}
    for result, name, arguments in re.findall(r"FLAGSTONE_API\s+([\w\s*]+?)(flagstone_\w+)\(([^)]*)\);", CODE):
        declared = [] if arguments.strip() == "void" else arguments.split(",")
        # The last word of a parameter is its name.
        kinds = tuple(native(re.sub(r"\w+$", "", argument.strip())) for argument in declared)
        found[name] = (native(result), kinds)
    return found


def test_every_function_of_the_header_is_declared_with_its_types() -> None:
    declared = declarations()
    assert len(declared) == HEADER.count("\nFLAGSTONE_API")
    assert _abi.FUNCTIONS.keys() == declared.keys()
    for name, types in declared.items():
        assert _abi.FUNCTIONS[name] == types, name


def test_every_struct_has_the_layout_that_is_recorded_for_the_abi() -> None:
    recorded = json.loads((PROJECT / "tests" / "abi" / "layout.json").read_text())["structs"]
    assert recorded.keys() == STRUCTS.keys()
    for name, layout in recorded.items():
        struct = STRUCTS[name]
        assert (ctypes.sizeof(struct), ctypes.alignment(struct)) == (layout["size"], layout["align"])
        members = [(member["name"], member["offset"], member["size"]) for member in layout["members"]]
        ours = [(field[0], getattr(struct, field[0])) for field in struct._fields_]
        assert [(field, at.offset, at.size) for field, at in ours] == members


def test_a_detail_is_decoded_by_its_layout() -> None:
    from flagstone import detail

    assert detail._layout.size == ctypes.sizeof(_abi.Detail)


def test_constants_are_those_of_the_header() -> None:
    values = dict(re.findall(r"#define FLAGSTONE_(\w+) (\d+)", CODE))
    values.update(re.findall(r"FLAGSTONE_(\w+) = (\d+)", CODE))
    ours = {name: value for name, value in vars(_abi).items() if name.isupper() and isinstance(value, int)}
    assert ours.items() <= {name: int(value) for name, value in values.items()}.items()
    assert len(ours) > 15
    kinds: dict[str, tuple[Any, ...]] = {
        "REASON": flagstone.detail._REASONS,
        "ERROR_KIND": flagstone.detail._ERRORS,
        "BIG_SEGMENTS": flagstone.detail._BIG_SEGMENTS,
    }
    for prefix, names in kinds.items():
        listed = {name: int(value) for name, value in values.items() if name.startswith(f"{prefix}_")}
        # An ERROR_KIND is no ERROR, and so on: what follows the prefix must be one of ours.
        assert listed == {f"{prefix}_{name.value if name else 'NONE'}": code for code, name in enumerate(names)}
    errors = {f"SOURCE_ERROR_{kind.name}": int(kind) for kind in flagstone.SourceErrorKind}
    assert errors == {name: int(value) for name, value in values.items() if name.startswith("SOURCE_ERROR_")}
    enums: dict[str, Any] = {"STAGE": Stage, "OPERATION": Operation, "ORIGIN": Origin}
    for prefix, kind in enums.items():
        named = {f"MIGRATION_{prefix}_{member.name}": code for code, member in enumerate(kind)}
        assert named == {name: int(value) for name, value in values.items() if name.startswith(f"MIGRATION_{prefix}_")}
    states = {f"STATE_{state.name}": int(state) for state in flagstone.State if state >= 0}
    assert states == {name: int(value) for name, value in values.items() if name.startswith("STATE_")}


def test_hot_functions_are_bound_without_conversion_and_with_their_result() -> None:
    for calls in (_fast.IN_MEMORY, _fast.MAY_BLOCK):
        assert calls.bool.argtypes is None
        assert calls.int.restype is ctypes.c_int64
        assert calls.flag_double.restype is ctypes.c_double


def test_the_package_has_the_version_of_the_library() -> None:
    assert flagstone.__version__ == _lib.lib.flagstone_version_string().decode()
    from importlib.metadata import version

    assert version("flagstone") == flagstone.__version__
