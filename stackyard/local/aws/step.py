"""One resource's create, update, read or delete: validates all calls first, makes them, reads the outputs back."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from stackyard.errors import UserError
from stackyard.local.applied import Applied
from stackyard.local.attempts import undoing
from stackyard.local.aws import answers, convert, documents, expressions, unsupported, validate
from stackyard.local.aws.clients import Clients
from stackyard.local.aws.errors import Problem, ProviderError, shown
from stackyard.local.aws.expressions import Pending
from stackyard.local.aws.rows import Op, Read, Row, Tagging
from stackyard.local.aws.rows.tagging import BY_SERVICE
from stackyard.local.aws.shapes import input_of
from stackyard.program.values import Value

GENERIC_INPUTS = frozenset({"region", "tags", "tagsAll"})
HASH_LENGTH = 17
SECRET_NAME = re.compile(r"secret|password|token", re.IGNORECASE)


@dataclass(frozen=True)
class _Call:
    op: Op
    params: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where calls go, and what the rows' expressions know beside a resource's own values."""

    clients: Clients
    account_id: str
    region: str
    cluster_endpoint: str = ""
    """Endpoint and certificate of EKS clusters, instead of the host and certificate that the emulator invents."""
    cluster_ca: str = ""

    @property
    def constants(self) -> dict[str, str]:
        return {"account": self.account_id, "clusterEndpoint": self.cluster_endpoint, "clusterCa": self.cluster_ca}


class Step:
    """One resource's create, update, read or delete."""

    def __init__(
        self,
        target: Target,
        row: Row,
        type_: str,
        urn: str,
        inputs: Mapping[str, Value],
        *,
        outputs: Mapping[str, Value] | None = None,
        id: str = "",
        sends: bool = True,
    ):
        """`sends`: the inputs will be sent, so handlers bring them into the API's form (and read an object's file)."""
        self.clients, self.row, self.type, self.urn = target.clients, row, type_, urn
        self.inputs = {name: value for name, value in inputs.items() if value is not None}
        self.prepared = self._prepare() if sends else self.inputs
        self.outputs, self.id = dict(outputs or {}), id
        self._made = False
        self.region = str(self.inputs.get("region") or target.region)
        self.tags = dict(self.inputs.get("tags") or {})
        # What was never created cannot be read, tagged or deleted either.
        self.unreachable = self.recorded = unsupported.is_unsupported(row.service, row.create.name)
        self.scope: dict[str, Any] = {
            **self.outputs,
            **self.prepared,
            **target.constants,
            "region": self.region,
            "id": id or Pending("pending"),
            "h": hashlib.sha256(urn.encode()).hexdigest()[:HASH_LENGTH],
            "tags": self.tags or None,
            "r": None,
            "d": None,
            "old": {},
            "removed": None,
        }

    def _prepare(self) -> dict[str, Value]:
        inputs = dict(self.inputs)
        return inputs if self.row.prepare is None else self._named_error(self.row.prepare, inputs)

    def _steps(self, old: Mapping[str, Value]) -> list[Op]:
        return [] if self.row.steps is None else self._named_error(self.row.steps, old, self.prepared)

    def _named_error(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls a handler; its errors get the resource's name."""
        try:
            return function(*args)
        except UserError as error:
            raise ProviderError(self.urn, str(error)) from error

    # Planning: every call is built and validated before the first one is made.

    def plan_create(self) -> tuple[_Call, list[_Call]]:
        problems: list[Problem] = []
        create = self._build(self.row.create, self._creatable(), problems, strict=True)
        setters = self._create_setters(problems)
        self._raise(problems)
        return create, setters

    def _create_setters(self, problems: list[Problem]) -> list[_Call]:
        ops = [op for op in self.row.then if not op.on or any(name in self.inputs for name in op.on)]
        ops += self._steps({})
        if self.tags and not self._tags_at_create():
            if (tagging := self.tagging()) is None:
                problems.append(self._unclaimed("tags"))
            else:
                ops.append(tagging.set)
        return [self._build(op, self._named(op), problems) for op in ops if self._wanted(op)]

    def _creatable(self) -> dict[str, Any]:
        """Inputs that the create call must take, or nobody claims them."""
        given = expressions.names_in(self.row.create.params)
        left_out = {*self.row.own, "region", "tagsAll", *given}
        if not self.tags or not self._model_takes_tags():
            left_out.add("tags")
        return {name: value for name, value in self.prepared.items() if name not in left_out}

    def _model_takes_tags(self) -> bool:
        shape = input_of(self.clients.operation(self.row.service, self.row.create.name))
        return "tags" in self.row.rename or (shape is not None and "tags" in convert.members(shape))

    def _tags_at_create(self) -> bool:
        return bool(self.row.tag_type) or self._model_takes_tags()

    def tagging(self) -> Tagging | None:
        return self.row.tagging or BY_SERVICE.get(self.row.service)

    def _named(self, op: Op) -> dict[str, Any]:
        given = expressions.names_in(op.params)
        wanted = set(self.prepared) - GENERIC_INPUTS - set(self.row.own) if "*" in op.on else set(op.on)
        return {name: self.prepared[name] for name in sorted(wanted - given) if name in self.prepared}

    def _wanted(self, op: Op) -> bool:
        return not op.when or bool(expressions.search(op.when, self.scope))

    def _build(self, op: Op, fill: Mapping[str, Any], problems: list[Problem], *, strict: bool = False) -> _Call:
        model = self.clients.operation(self.row.service, op.name)
        given = dict(op.params)
        if op is self.row.create and self.row.tag_type and self.tags:
            given["TagSpecifications"] = [{"ResourceType": self.row.tag_type, "Tags": "=tags"}]
        placed = convert.place(
            model, self.row, fill, convert.explicit(model, expressions.evaluate(given, self.scope) or {}, problems)
        )
        problems += placed.problems
        if strict:
            problems += [self._unclaimed(name) for name in placed.unclaimed if not self._claimed_later(name)]
        renamed = {path: name for name, path in self.row.rename.items() if "." not in name}
        sources = {**renamed, **convert.explicit_sources(given), **placed.sources}
        if not placed.problems:
            problems += validate.check(input_of(model), placed.params, sources)
        return _Call(op, placed.params)

    def _claimed_later(self, name: str) -> bool:
        return name in self.row.steps_on or any(name in op.on for op in self.row.then)

    def _unclaimed(self, name: str) -> Problem:
        value = "not shown" if SECRET_NAME.search(name) else shown(self.inputs.get(name))
        return Problem(name, f"the local stack's AWS provider does not know this input (value {value})")

    def _raise(self, problems: list[Problem]) -> None:
        if problems:
            raise ProviderError(self.urn, "; ".join(dict.fromkeys(map(str, problems))) + ". Nothing was called.")

    # Steps

    def create(self) -> Applied:
        call, _ = self.plan_create()
        self.scope["r"] = self._call(call)
        if self.recorded:
            self.scope |= expressions.evaluate(self.row.fake, self.scope) or {}
        self.id = self.scope["id"] = str(expressions.evaluate(self.row.id, self.scope))
        try:
            # Built again, since now the id and the response are known.
            self._run(self._create_setters([]))
            return self._applied()
        except ProviderError as error:
            raise self._undone(error) from error

    def _undone(self, error: ProviderError) -> ProviderError:
        """Deletes what a failed create left behind. The error to raise says whether something is still there."""
        last = next((op.name for op in reversed(self.row.delete) if self._wanted(op)), "")
        try:
            with undoing(self.row.create.name, last):
                self.delete()
        except ProviderError as failed:
            left = f"{error.text}. It exists as {self.id}, unfinished: taking it back failed too. {failed.text}"
            return ProviderError(self.urn, left, unknown=True)
        return ProviderError(self.urn, f"{error.text}. What was made of it was taken back.")

    def update(self, old_inputs: Mapping[str, Value]) -> Applied:
        old = {name: value for name, value in old_inputs.items() if value is not None}
        changed = {name for name in {*old, *self.inputs} if old.get(name) != self.inputs.get(name)}
        old_tags, tags_changed = dict(old.get("tags") or {}), "tags" in changed
        changed -= {"tags", "tagsAll"}
        self._refuse_unchangeable(changed)
        self.scope["old"] = old
        # Known from the outputs alone: an input that was taken back is nothing to the conditions of the calls.
        self.scope |= dict.fromkeys(old.keys() - self.inputs.keys() - self.prepared.keys())
        problems: list[Problem] = []
        calls = (
            [self._build(self.row.create, self._creatable(), problems, strict=True)] if self.row.put and changed else []
        )
        ops = [op for op in (*self.row.then, *self.row.mod) if changed & set(op.on) or ("*" in op.on and changed)]
        ops += self._steps(self.scope["old"]) if changed & set(self.row.steps_on) else []
        if tags_changed or self._put_drops_tags(changed):
            ops += self._tag_ops(old_tags)
        ops = [op for op in ops if self._wanted(op)]
        self._refuse_unreset({name for name in changed if name not in self.inputs}, ops)
        calls += [self._build(op, self._named(op), problems) for op in ops]
        self._raise(problems)
        self._hook(self.row.before_update, "the change")
        self._run(calls)
        self.outputs = {name: value for name, value in self.outputs.items() if name not in old or name in self.inputs}
        return self._applied()

    def _put_drops_tags(self, changed: set[str]) -> bool:
        # Who puts an object again puts it without its tags.
        return bool(self.row.put and changed and self.tags and not self._tags_at_create())

    def _refuse_unchangeable(self, changed: set[str]) -> None:
        setters = (*self.row.then, *self.row.mod)
        covered = {*self.row.own, *self.row.steps_on, *(name for op in setters for name in op.on)}
        fixed = set() if self.row.put or "*" in covered else changed - covered
        if fixed or "region" in changed:
            names = ", ".join(sorted(fixed or {"region"}))
            raise ProviderError(
                self.urn,
                f"AWS has no call that changes {names} of an existing {self.type}: "
                "replace the resource, or change it back.",
            )

    def _refuse_unreset(self, removed: set[str], ops: list[Op]) -> None:
        """An input that was taken back must be reset by some call, or the old value would stay unseen."""
        reset = {
            name for op in ops for name in (*expressions.names_in(op.params), *expressions.names_in(f"={op.when}"))
        }
        reset |= {name for op in ops if op.resets for name in op.on}
        kept = set() if self.row.put else removed - reset - {*self.row.own, *self.row.steps_on}
        if kept:
            names = ", ".join(sorted(kept))
            raise ProviderError(
                self.urn, f"AWS has no call that takes back {names}: give the value that it should have instead."
            )

    def _tag_ops(self, old_tags: Mapping[str, str]) -> list[Op]:
        if (tagging := self.tagging()) is None:
            raise ProviderError(self.urn, f"tags: the local stack's AWS provider cannot change tags of {self.type}.")
        removed = sorted(set(old_tags) - set(self.tags))
        self.scope["removed"] = removed
        if tagging.unset is None:
            return [tagging.set]
        return [*([tagging.unset] if removed else []), *([tagging.set] if self.tags else [])]

    def read(self) -> dict[str, Value] | None:
        if self.row.read is None or self.unreachable:
            return dict(self.outputs)
        self.scope["d"] = self.document(self.row.read)
        return None if self.scope["d"] is None else self._outputs(fresh=True)

    def delete(self) -> None:
        if self.unreachable or self.inputs.get("skipDestroy"):
            return
        self._hook(self.row.before_delete, "the deletion")
        for op in self.row.delete:
            if self._wanted(op):
                self._delete(op)

    def _hook(self, hook: Callable[..., None] | None, before: str) -> None:
        if hook is None:
            return
        try:
            self._named_error(hook, self.call, self.scope)
        except ClientError as error:
            if not answers.is_gone(error):
                raise self._failure(error, f"what comes before {before}") from error
        except answers.NO_ANSWER as error:
            raise self._failure(error, f"what comes before {before}") from error

    def _delete(self, op: Op) -> None:
        params = expressions.evaluate(op.params, self.scope) or {}
        try:
            response = self.call(op.name, **params)
        except ClientError as error:
            if not answers.is_gone(error):
                raise self._failure(error, op.name) from error
        except answers.NO_ANSWER as error:
            raise self._failure(error, op.name) from error
        else:
            if (failed := answers.refused_part(response)) and not answers.NOT_FOUND.search(failed):
                self._refuse_part(op.name, response)

    # Calls

    def _run(self, calls: list[_Call]) -> None:
        for call in calls:
            response = self._call(call)
            if call.op.id:
                self.id = self.scope["id"] = str(expressions.search(call.op.id, response))

    def call(self, operation: str, **params: Any) -> Any:
        """One API call, errors as botocore raises them."""
        client = self.clients.client(self.row.service, self.region)
        return getattr(client, xform_name(operation))(**params)

    def _call(self, call: _Call) -> Any:
        if self.unreachable or self._lacking(call.op):
            self.recorded = True
            return {}
        try:
            response = self.call(call.op.name, **call.params)
        except (ClientError, *answers.NO_ANSWER) as error:
            if answers.is_done_already(error, call.op.name):
                return {}
            raise self._failure(error, call.op.name) from error
        self._refuse_part(call.op.name, response)
        self._made = True
        return response

    def _refuse_part(self, operation: str, response: Any) -> None:
        if failed := answers.refused_part(response):
            raise ProviderError(self.urn, f"AWS refused {operation} ({self.row.service}, {self.region}): {failed}")

    def _lacking(self, op: Op) -> bool:
        tagging = self.tagging()
        tags = tagging is not None and op in (tagging.set, tagging.unset)
        return unsupported.is_unsupported(self.row.service, op.name) or (tags and self.type in unsupported.UNTAGGABLE)

    def _failure(self, error: Exception, operation: str) -> ProviderError:
        where = f"{operation} ({self.row.service}, {self.region})"
        tries = self.clients.tries
        text = answers.explain(error, where, self.inputs, tries.count)
        unknown = tries.unknown or answers.is_unknown(error)
        if unknown and not answers.only_reads(operation):
            text += ". Nobody knows whether it was carried out"
        # A change that AWS did not refuse and that stopped between two calls goes on from there.
        return ProviderError(self.urn, text, unknown=unknown or (self._made and not answers.is_refusal(error)))

    # Outputs

    def document(self, read: Read) -> Any:
        """The document at the read's path, None if there is none."""
        params = expressions.evaluate(read.params, self.scope) or {}
        try:
            response = self.call(read.name, **params)
        except ClientError as error:
            if answers.is_gone(error):
                return None
            raise self._failure(error, read.name) from error
        except answers.NO_ANSWER as error:
            raise self._failure(error, read.name) from error
        found = expressions.search(expressions.template(read.path, self.scope), convert.plain_json(response))
        return None if found is None or found == [] else found

    def _applied(self) -> Applied:
        if self.row.read is not None and not self.unreachable:
            self.scope["d"] = self.document(self.row.read)
            if self.scope["d"] is None:
                raise ProviderError(
                    self.urn,
                    f"{self.row.read.name} ({self.row.service}) does not show the resource {self.id} after the change.",
                )
        return Applied(id=self.id, outputs=self._outputs(fresh=False), recorded=self.recorded)

    def _outputs(self, *, fresh: bool) -> dict[str, Value]:
        """`fresh`: what the API says wins over the inputs (a refresh); else the inputs stay as they were written."""
        types = convert.output_types(self.type)
        result = {**self.outputs, **({} if fresh else self.inputs)}
        found = documents.scalars(self.scope["d"], types, self.row.keep, {**self.inputs, **self.outputs})
        result |= {name: value for name, value in found.items() if fresh or name not in self.inputs}
        self.scope |= {name: self.document(read) for name, read in self.row.look.items()}
        if self.recorded and not fresh:
            result |= expressions.evaluate(self.row.fake, self.scope) or {}
        for name, expression in self.row.out.items():
            value = convert.plain_json(expressions.evaluate(expression, {**self.scope, "d": self.scope["d"]}))
            if value is not None:
                result[name] = value
        result.pop("id", None)
        result |= {"region": self.region} if "region" in types else {}
        result |= {"tagsAll": self.tags} if "tagsAll" in types else {}
        coerced = {name: convert.coerce(types.get(name), value) for name, value in result.items()}
        return {name: value for name, value in coerced.items() if value is not None}
