"""What is searched for: the journeys, and their searches."""

from __future__ import annotations

import json

import click

from segment_bridge import catalog
from segment_bridge.cli.options import identity_option
from segment_bridge.settings import IdentityMode, Source, search_fields

#: What stands in a printed search where no index is set.
_NO_INDEX = "your-index"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of {name, title, event}.")
def journeys(*, as_json: bool) -> None:
    """List the user journeys."""
    if as_json:
        listed = [{"name": j.name, "title": j.title, "event": j.event} for j in catalog.JOURNEYS]
        click.echo(json.dumps(listed, indent=2))
        return
    width = max(len(journey.name) for journey in catalog.JOURNEYS)
    for journey in catalog.JOURNEYS:
        click.echo(f"{journey.name:{width}}  {journey.title}")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--index", envvar="SPLUNK_INDEX", default=_NO_INDEX, show_default=True, help="The index to search. [SPLUNK_INDEX]"
)
@click.option("--sourcetype", envvar="SPLUNK_SOURCETYPE", default="", help="Of the records. [SPLUNK_SOURCETYPE]")
@click.option(
    "--search-fields", "fields", envvar="SPLUNK_SEARCH_FIELDS", default="", help="As host=api-*. [SPLUNK_SEARCH_FIELDS]"
)
@identity_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of {name, title, spl}.")
def spl(names: tuple[str, ...], *, index: str, sourcetype: str, fields: str, identity: str, as_json: bool) -> None:
    """Print the journeys' searches."""
    source = Source(index, sourcetype, search_fields(fields, "SPLUNK_SEARCH_FIELDS"))
    compiled = [(journey, journey.compile(source, IdentityMode(identity))) for journey in catalog.find(names)]
    if as_json:
        listed = [{"name": journey.name, "title": journey.title, "spl": text} for journey, text in compiled]
        click.echo(json.dumps(listed, indent=2))
        return
    click.echo("\n\n".join(f"``` {journey.name}: {journey.title} ```\n{text}" for journey, text in compiled))
