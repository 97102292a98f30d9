"""Wrap a model so that each of its predictions is counted, and nothing else about it changes."""

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from prometheus_client import CollectorRegistry

from serinus_instrument.declare import declare
from serinus_instrument.plausible import Declared
from serinus_instrument.profile import Profile
from serinus_instrument.recorder import Recorder
from serinus_instrument.settings import Limits

Model = TypeVar("Model")
Function = TypeVar("Function", bound=Callable[..., Any])

METHODS = ("predict", "predict_proba", "__call__")


def instrument(
    model: Model,
    *,
    name: str | None = None,
    profile: str | os.PathLike[str] | Mapping[str, Any] | Profile | None = None,
    plausible: Declared = None,
    features: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    output: str | None = None,
    tolerance: float = 0.0,
    threshold: float | None = None,
    methods: Sequence[str] = METHODS,
    limits: Limits | None = None,
    registry: CollectorRegistry | None = None,
) -> Model:
    """Return the model with its predictions counted; use it in the place of the model.

    Everything else about it is as before: attributes are read from it and set on it, and what it returns or raises
    comes through untouched. What needs the very object, such as ``len``, ``isinstance`` or ``pickle``, takes
    ``model.__wrapped__``. The names of its inputs and classes are taken from it if it knows them, as scikit-learn's
    do (``feature_names_in_``, ``classes_``).

    Args:
        model: any object with ``predict``, ``predict_proba`` or that can be called; coroutines, too.
        name: label ``model`` of all its metrics; ``$SERINUS_MODEL`` if absent.
        profile: the training profile: its file, or what was read from it; if absent, the one beside the model.
        plausible: the range of its predictions, as a tuple, or its classes, as a list.
        features: names of its inputs by position.
        exclude: names of inputs that are not counted.
        output: name of the main output, where it answers with several by name.
        tolerance: a predicted number at most this far from the truth is right.
        threshold: predictions are scores, and from here on they say yes; the truth is then 0 or 1.
        methods: those that are counted; name one if a request calls several.
        limits: how many series it may have.
        registry: where its counts are shown; the default one if absent.

    Raises:
        ValueError: it has none of the methods, or something declared can't be understood.
        OSError: the given profile cannot be read.
    """
    recorder = declare(
        name,
        profile=profile,
        plausible=plausible,
        features=features if features is not None else _told(model, "feature_names_in_"),
        exclude=exclude,
        output=output,
        classes=_told(model, "classes_"),
        tolerance=tolerance,
        threshold=threshold,
        limits=limits,
        registry=registry,
    )
    found = {each: getattr(model, each) for each in methods if callable(getattr(model, each, None))}
    if not found:
        raise ValueError(f"{type(model).__name__} has none of the methods {', '.join(methods)}: name the one it has")
    counted = {each: _counted(call, recorder, each == "predict_proba") for each, call in found.items()}
    return cast("Model", _proxy(model, recorder, counted))


def observed(
    function: Function | None = None,
    *,
    name: str | None = None,
    profile: str | os.PathLike[str] | Mapping[str, Any] | Profile | None = None,
    plausible: Declared = None,
    features: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    output: str | None = None,
    tolerance: float = 0.0,
    threshold: float | None = None,
    limits: Limits | None = None,
    registry: CollectorRegistry | None = None,
) -> Any:
    """Decorate a function that predicts, so that its calls are counted: ``@observed`` or ``@observed(…)``.

    Its input is the first argument that is not ``self``. The arguments are those of ``instrument``.

    Raises:
        ValueError: something declared can't be understood.
        OSError: the given profile cannot be read.
    """

    def decorate(call: Function) -> Function:
        recorder = declare(
            name,
            profile=profile,
            plausible=plausible,
            features=features,
            exclude=exclude,
            output=output,
            tolerance=tolerance,
            threshold=threshold,
            limits=limits,
            registry=registry,
        )
        skip = 1 if next(iter(inspect.signature(call).parameters), None) in ("self", "cls") else 0
        return cast("Function", _counted(call, recorder, False, skip))

    return decorate if function is None else decorate(function)


def recorder_behind(model: Any) -> Recorder:
    """Return the recorder of an instrumented model, for outcomes and for what is counted by hand.

    Raises:
        TypeError: it is not instrumented.
    """
    recorder = inspect.getattr_static(model, "_serinus_recorder", None)
    if not isinstance(recorder, Recorder):
        raise TypeError(f"{type(model).__name__} is not instrumented: give what instrument() or observed() returned")
    return recorder


def _counted(call: Callable[..., Any], recorder: Recorder, probabilities: bool, skip: int = 0) -> Callable[..., Any]:
    def input_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args[skip] if len(args) > skip else next(iter(kwargs.values()), None)

    if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None)):  # noqa: B004

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            answer = await call(*args, **kwargs)
            recorder.record(input_of(args, kwargs), answer, probabilities)
            return answer

        wrapper: Callable[..., Any] = awaited
    else:

        def called(*args: Any, **kwargs: Any) -> Any:
            answer = call(*args, **kwargs)
            recorder.record(input_of(args, kwargs), answer, probabilities)
            return answer

        wrapper = called
    functools.update_wrapper(wrapper, call, updated=())
    wrapper._serinus_recorder = recorder  # type: ignore[attr-defined]
    return wrapper


def _proxy(model: Any, recorder: Recorder, counted: Mapping[str, Callable[..., Any]]) -> Any:
    """Return an object that is the model in all but the counted methods."""

    class Instrumented:
        """A model whose predictions are counted."""

        def __getattr__(self, attribute: str) -> Any:
            return getattr(model, attribute)

        def __setattr__(self, attribute: str, value: Any) -> None:
            setattr(model, attribute, value)

        def __repr__(self) -> str:
            return f"instrumented {model!r}"

        @property
        def __wrapped__(self) -> Any:
            return model

    for method, call in counted.items():
        setattr(Instrumented, method, staticmethod(call) if method != "__call__" else _bound(call))
    Instrumented._serinus_recorder = recorder  # type: ignore[attr-defined]
    return Instrumented()


def _bound(call: Callable[..., Any]) -> Callable[..., Any]:
    # Python looks `__call__` up in the class and hands the object over.
    return lambda _, *args, **kwargs: call(*args, **kwargs)


def _told(model: Any, attribute: str) -> tuple[Any, ...] | None:
    try:
        told = getattr(model, attribute, None)
        return None if told is None or isinstance(told, str) else tuple(told)
    except Exception:  # a property that answers only after a fit
        return None
