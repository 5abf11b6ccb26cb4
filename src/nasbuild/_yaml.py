"""YAML as plain data, without surprises.

Plain words are read as in YAML 1.2, not as in YAML 1.1, PyYAML's default. So only true and false are
truth values, ``no`` and ``off`` are texts, ``1e-3`` is a number, and ``16:9``, ``010`` and ``2024-01-01`` are texts.
"""

from __future__ import annotations

import math
import re

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from nasbuild.errors import NasbuildError, SpaceError

_MOST_VALUES = 2_000_000
_LONG = 10_000  # texts with more characters use the parser in C
_DEEPEST = 200  # deepest nesting for the parser in C, which has no guard of its own
_LONGEST_REASON = 200

_TAG = "tag:yaml.org,2002:"
_WHOLE = "(?:0|[1-9][0-9]*)"
_FLOAT = re.compile(rf"[-+]?(?:(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.inf)$|\.nan$")
_PLAIN_WORDS = (
    ("null", re.compile("(?:~|null|)$"), ["~", "n", ""]),
    ("bool", re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(f"[-+]?{_WHOLE}$"), list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
    ("merge", re.compile("<<$"), ["<"]),
)


def plain_from_yaml(text: str, *, where: str, kind: type[NasbuildError] = SpaceError) -> object:
    """Lists, mappings, texts, numbers and truth values of one YAML document.

    Raises
    ------
    NasbuildError
        Of the given kind, if the text is not valid YAML, a key appears twice, or aliases expand too far.
    """
    try:
        return yaml.load(text, Loader=_loader(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}, line {mark.line + 1}" if mark else where
        raise kind(f"is not valid YAML ({_one_line(error.problem or error.context)})", where=place) from None
    except ReaderError as error:
        place = f"{where}, line {1 + text.count(chr(10), 0, error.position)}"
        raise kind(
            f"is not valid YAML (character #x{error.character:04x}: {error.reason})", where=place
        ) from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # PyYAML's constructors raise these if a tag does not fit its value, or on deep nesting.
        raise kind(f"is not readable YAML ({type(error).__name__})", where=where) from None


def yaml_from_plain(data: object) -> str:
    """YAML that `plain_from_yaml` reads as equal data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


class _Careful:
    """Refuses repeated keys, and aliases that expand too far."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (as in PyYAML; filled below)

    def get_single_node(self):
        node = super().get_single_node()  # pyright: ignore[reportAttributeAccessIssue]
        if node is not None and _values(node, {}) > _MOST_VALUES:
            reason = f"it refers to itself or stands for more than {_MOST_VALUES:,} values"
            raise ComposerError(None, None, reason, node.start_mark)
        return node


class _Loader(_Careful, yaml.SafeLoader):
    """Loads YAML without objects."""

    yaml_implicit_resolvers = _Careful.yaml_implicit_resolvers


if yaml.__with_libyaml__:

    class _FastLoader(_Careful, yaml.CSafeLoader):
        """The same, parsed in C."""

        yaml_implicit_resolvers = _Careful.yaml_implicit_resolvers


def _loader(text: str) -> type:
    """The parser in C for long texts, which is as strict and saves seconds.

    Raises
    ------
    ComposerError
        If a long text has too many values.
    """
    if len(text) < _LONG or not yaml.__with_libyaml__:
        return _Loader
    depth = count = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                # Stop here: the time of both scanners grows with the square of the depth.
                return _Loader
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            count += 1
            if count > _MOST_VALUES:
                raise ComposerError(None, None, f"it has more than {_MOST_VALUES:,} values", event.start_mark)
    return _FastLoader


class _Dumper(yaml.SafeDumper):
    """Writes lists of plain values and layers on one line, as people do."""

    def ignore_aliases(self, data):  # noqa: ARG002
        return True

    def represent_sequence(self, tag, sequence, flow_style=None):  # noqa: ARG002
        layers = all(not isinstance(v, list | dict) or _is_layer(v) for v in sequence)
        return super().represent_sequence(tag, sequence, flow_style=layers and not _has_name(sequence))

    def represent_mapping(self, tag, mapping, flow_style=None):  # noqa: ARG002
        small = isinstance(mapping, dict) and _is_layer(mapping) and "name" not in mapping
        return super().represent_mapping(tag, mapping, flow_style=small)


for _name, _pattern, _first in _PLAIN_WORDS:
    for _letter in _first or [None]:
        _Careful.yaml_implicit_resolvers.setdefault(_letter, []).append((_TAG + _name, _pattern))
# The writer also knows the words of YAML 1.1, so that it quotes what either version would not read as text.
_Dumper.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+.0123456789"))


def _values(node: yaml.Node, known: dict[int, float]) -> float:
    """Number of values of a node with its aliases expanded; infinite if it contains itself."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = math.inf
        _refuse_repeats(node)
        total = 1.0
        for entry in node.value:
            for part in entry if isinstance(entry, tuple) else (entry,):
                total += _values(part, known)
        known[id(node)] = total
    return known[id(node)]


def _refuse_repeats(node: yaml.CollectionNode) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    # Keys that are lists are refused later, as they have no hash.
    for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
        if (key.tag, key.value) in seen:
            raise ComposerError(None, None, f"key {key.value!r} appears twice", key.start_mark)
        seen.add((key.tag, key.value))


def _one_line(text: str | None) -> str:
    return " ".join((text or "unknown reason").split())[:_LONGEST_REASON]


def _is_layer(value: object) -> bool:
    return isinstance(value, dict) and not any(isinstance(v, list | dict) for v in value.values())


def _has_name(sequence) -> bool:
    return any(isinstance(v, dict) and "name" in v for v in sequence)
