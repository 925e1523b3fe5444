"""`stackyard drain`: what runs, what will happen, doing it, and what is left in the account."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stacks.settings import Layer
from stackyard.drain.access import cluster_api
from stackyard.drain.api import Api
from stackyard.drain.blockers import blockers
from stackyard.drain.leftovers import Leftover, leftovers, settled
from stackyard.drain.nodes import KEPT_NAMESPACES, Clock, Drained, Plan, counted, drain_nodes, kept_nodes
from stackyard.drain.snapshot import Snapshot, is_going, look, node_of
from stackyard.drain.work import Work, running_work
from stackyard.errors import InvalidInput, UserError
from stackyard.preflight.account import Account, Clients, own_clients
from stackyard.preflight.checks.identity import fetch_caller, judge_caller
from stackyard.preflight.finding import Level, Unanswered, listed
from stackyard.preflight.target import Target, target

LOCAL = "local"
PAGE = "docs/drain.md"
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "ec2": ("describe_instances", "describe_launch_templates", "describe_network_interfaces", "describe_volumes"),
    "eks": ("describe_cluster",),
    "iam": ("list_instance_profiles",),
    "sts": ("get_caller_identity",),
}
"""Every call to AWS that a drain may make; it only reads. What it changes, it changes in the cluster."""
# Volumes and interfaces of an instance that has just ended.
SETTLE_S = 60.0


def drain(
    root: Path,
    env: str,
    console: Console,
    *,
    force: bool,
    confirm: Callable[[str], bool],
    timeout_minutes: int,
    clients: Clients | None = None,
    reach: Callable[[Account, Target, Clients], Api | None] = cluster_api,
    clock: Clock | None = None,
) -> int:
    """Makes the nodes of an environment go; returns the exit status: 0 nothing is left, 1 something is.

    `confirm` is asked once, after everything was shown. `clients`, `reach` and `clock` are for tests. Raises UserError
    when it refuses (jobs run), and InvalidInput.
    """
    if env == LOCAL:
        return _drain_local(root, console)
    asked = _target(root, env)
    clients, clock = clients or _own_clients(asked), clock or Clock()
    with _answered():
        _check_account(_account(clients, asked), asked, console)
        api = reach(_account(clients, asked), asked, clients)
    if api is None:
        console.print(f"The cluster {asked.stem} does not exist: no node to drain.")
        return _report_leftovers(asked, clients, console, clock, kept=frozenset(), cluster_gone=True)
    seen = look(api)
    work = running_work(seen, clock.now())
    _show(seen, work, console, force=force)
    if work and not force:
        raise UserError(
            f"{asked.environment} is not drained: {_jobs(work)}, and nothing was changed. Wait until "
            f"{'it has' if len(work) == 1 else 'they have'} ended, or end them: stackyard drain --env {env} --force"
        )
    if not confirm(f"Drain {env}?"):
        raise UserError("nothing was changed")
    _check_nothing_new(work, running_work(look(api), clock.now()))
    deadline = clock.monotonic() + timeout_minutes * 60
    plan = Plan(work=work, deadline=deadline, tell=lambda text: console.print(escape(text)), clock=clock)
    with _way_back(asked, console):
        drained = drain_nodes(api, plan)
    _report_nodes(drained, timeout_minutes, clock, console)
    left = _report_leftovers(asked, clients, console, clock, kept=drained.kept_instances)
    _say_next(asked, drained, console)
    return 1 if drained.left else left


def _drain_local(root: Path, console: Console) -> int:
    from stackyard.local.places import Places
    from stackyard.local.runs import running

    places = Places(root, LOCAL)
    if places.folder.exists():
        # Raises Locked, which names who runs a pipeline.
        with running(places):
            pass
    console.print(
        "Nothing to drain: the local environment has no nodes, its pipelines run as processes and none runs now. "
        "`stackyard local destroy` removes it, with what it has applied to a cluster on this machine."
    )
    return 0


def _target(root: Path, env: str) -> Target:
    # No date is judged here.
    found = target(root, env, layer=None, today=date.today(), emulated=False)
    if Layer.PLATFORM not in found.layers:
        raise InvalidInput(
            f"the environment {env!r} has no platform layer, so no cluster and no nodes: name one that has, for "
            "example --env dev"
        )
    return found


def _own_clients(asked: Target) -> Clients:
    from stackyard.bootstrap.command import own_session

    return own_clients(lambda: own_session(asked.region))


def _account(clients: Clients, asked: Target) -> Account:
    """A new one each time: an account remembers its answers, and here they change."""
    return Account(clients, asked.region, operations=OPERATIONS, page=PAGE)


@contextmanager
def _answered() -> Generator[None]:
    try:
        yield
    except Unanswered as silence:
        raise UserError(". ".join(filter(None, (str(silence), silence.remedy)))) from None


def _check_account(account: Account, asked: Target, console: Console) -> None:
    for finding in judge_caller(fetch_caller(account, asked), asked):
        if finding.level is not Level.PASS:
            raise UserError(f"{finding.sentence}. Nothing was changed: {finding.remedy}")
        console.print(f"[bold]{escape(asked.environment)}[/], {escape(finding.sentence)}, {asked.region}")


def _show(seen: Snapshot, work: Sequence[Work], console: Console, *, force: bool) -> None:
    if work:
        console.print(f"\n{_jobs(work)}{', and will end' if force else ''}:")
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
        for title in ("job", "pool", "since", "why it counts"):
            table.add_column(title, overflow="fold")
        for job in work:
            table.add_row(*map(escape, (job.name, ", ".join(job.pools) or "–", job.since or "–", job.why)))
        console.print(table)
    kept = kept_nodes(seen)
    going = [claim for claim in seen.claims if node_of(claim) not in kept]
    already = sum(map(is_going, going))
    console.print(f"\nNodes that will go: {len(going)}" + (f", of which {already} go already." if already else "."))
    if kept:
        console.print(f"Nodes that stay for the destroy: {len(kept)}, with {escape(_kept_for())}.")
    console.print(
        "Schedules are suspended, and no pool starts a node. Pods that can, are evicted; services on these nodes stop, "
        "since no node is left for them. No data is touched."
    )


def _check_nothing_new(shown: Sequence[Work], now: Sequence[Work]) -> None:
    """Nobody has agreed to the end of what began while the question was open."""
    known = {job.name for job in shown}
    if new := [job.name for job in now if job.name not in known]:
        raise UserError(f"{listed(new)} began since the list was made: nothing was changed. Run the command again")


@contextmanager
def _way_back(asked: Target, console: Console) -> Generator[None]:
    """What to do when it stops in the middle: Ctrl-C, a server that is gone, a refusal."""
    try:
        yield
    except (KeyboardInterrupt, UserError):
        console.print(f"\nThe drain stopped in the middle. Run it again to go on. {_back(asked)}")
        raise


def _back(asked: Target) -> str:
    return f"To go back instead: `pulumi up --stack {_stack(asked)} --refresh` opens pools and schedules as declared."


def _report_nodes(drained: Drained, timeout_minutes: int, clock: Clock, console: Console) -> None:
    if not drained.left:
        return
    waited = counted(range(timeout_minutes), "minute")
    console.print(f"\n[red]Still there after {waited}: {counted(drained.left, 'node')}[/]")
    for claim in drained.left:
        name = node_of(claim) or f"{claim['metadata']['name']} (no node yet)"
        for sentence in blockers(claim, drained.seen, clock.now()):
            console.print(f"  {escape(name)}: {escape(sentence)}")


def _report_leftovers(
    asked: Target,
    clients: Clients,
    console: Console,
    clock: Clock,
    *,
    kept: frozenset[str],
    cluster_gone: bool = False,
) -> int:
    def find() -> list[Leftover]:
        account = _account(clients, asked)
        return leftovers(account, asked.stem, asked.region, kept=kept, cluster_gone=cluster_gone)

    with _answered():
        found = settled(find, wait=clock.wait, monotonic=clock.monotonic, for_s=SETTLE_S)
    if not found:
        console.print(f"Nothing of Karpenter's is left in account {asked.account_id}, {asked.region}.")
        return 0
    console.print(f"\n[red]Left in account {asked.account_id}, {asked.region}: {counted(found, 'thing')}[/]")
    for left in found:
        console.print(f"{left.kind} {escape(left.id)} ({escape(left.about)})")
        # Copied as it is: never wrapped, never styled.
        console.out(f"   {left.command}", highlight=False)
    return 1


def _say_next(asked: Target, drained: Drained, console: Console) -> None:
    if drained.left:
        console.print(f"\nRun the command again when that is solved. {_back(asked)}")
        return
    if drained.kept:
        console.print(
            f"{counted(drained.kept, 'node')} for the destroy, with {escape(_kept_for())}. After the destroy, "
            f"`stackyard drain --env {asked.environment}` says whether anything is left."
        )
    console.print(f"Next: `pulumi destroy --stack {_stack(asked)}`. {_back(asked)}")


def _stack(asked: Target) -> str:
    """The stack that has the platform."""
    return next(name for name, settings in asked.stacks.items() if settings.has(Layer.PLATFORM))


def _kept_for() -> str:
    return ", ".join(KEPT_NAMESPACES.values())


def _jobs(work: Sequence[Work]) -> str:
    return f"{len(work)} {'job runs' if len(work) == 1 else 'jobs run'} ({listed([job.name for job in work])})"
