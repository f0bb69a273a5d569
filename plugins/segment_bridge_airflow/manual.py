"""The operator's manual: what the DAGs and their tasks do, what a failure means, and what to do then, as Markdown.

The web UI shows blocks of code without their line ends, so that no diagram can stand here.
"""

from __future__ import annotations

DAG = """
Every hour, the user journeys of the last hours are searched in Splunk, turned into track events and delivered to
Segment. What was delivered before, Segment recognizes by its messageId.

1. `begin` decides the window and the journeys.
2. `map_users` and `map_workspaces` read from the clusters who is who; `share_users` and `publish` hand the maps on,
   where that is switched on.
3. `search` asks Splunk, one task for each journey; `check_source` counts records that the API server cut, and where
   no journey found anything, checks that there are records at all.
4. `convert` turns results into events, and `deliver` sends them, one task for each group of batches.
5. `close` counts the books and writes the report. Beside all of this, `expire` removes what is old.

* **A red run** has left something behind, and `close` says what. The next run searches what the missing ones would
  have, so that nothing is lost while runs succeed again within the reach (7 days by default).
* **Clearing a failed task** loses nothing: each task replaces what it staged before, and delivers only what its run
  has not delivered yet. Clear it *with its downstream tasks*, so that the books are counted again. After a day, though,
  Segment would count twice what a later run has delivered: trigger `segment_bridge_redrive` instead, which looks there.
* **A hole** (hours that no run has covered) is filled by a backfill over it: each run covers its own hour.
* **By hand**: *Trigger* opens a form; a dry run shows what would be sent.
"""

BEGIN = """
Decides the window and the journeys, clears what an earlier try of this run has staged, and logs in to Splunk once.

**Fails** if the form's window is not one (end before start, in the future, too long), the Variable `segment_bridge` has
a mistake, the connection `splunk_default` names no index, or Splunk refuses the login; nothing else runs then. The
message says which. Correct it and trigger again.
"""

MAP_USERS = """
Reads from the host cluster's UserSignups which user name belongs to which SSO ID.

If the cluster cannot be read, or its map is much smaller than the last good one (`map_shrink_percent`), the last good
one stands in for a day (`map_stand_in_hours`), and somebody is told.

**Fails** if none can, and then nothing is searched: check the connection `kubernetes_host`, the rights of its
credentials to list `usersignups.toolchain.dev.openshift.com`, and the cluster itself.
"""

MAP_WORKSPACES = """
Reads from the member clusters which namespace belongs to which workspace, by the labels that `tenant_selectors` and
`space_labels` name.

**Fails** as `map_users` does, for the connections that the Variable `segment_bridge` names as `member_connections`.
All is searched then, and nothing is converted.
"""

SHARE_USERS = """
Where the setting `identity` is `splunk_lookup`: puts the map of users into Splunk's KV store, for the searches to look
users up there. Otherwise it does nothing.

**Fails** if Splunk's account may not write the collection or its lookup definition: the app has to let it. Nothing is
searched then.
"""

PUBLISH = """
Publishes both maps as ConfigMaps (`uid-map`, `ws-map`) in the namespace that the setting `publish_namespace` names.
Otherwise it does nothing. A map that one ConfigMap cannot hold goes on in `uid-map-2`, and so on.

**Fails** if the credentials may not list, create and patch ConfigMaps there. Nothing in the run waits for it, and the
report says nothing of it.
"""

SEARCH = """
Asks Splunk for the results of one journey, and takes them only if the answer is provably complete.

**Fails** at once for credentials, rights and SPL that Splunk refuses: check the connection `splunk_default`. It fails
after its retries if Splunk cannot be reached or never answers completely; the error names the rule that the answer
broke, and quotes Splunk where a message of Splunk is why. If you can live with that message, name it in the setting
`tolerated_messages`. The journeys of other searches are delivered all the same.
"""

CHECK_SOURCE = """
Counts the records that the API server cut because they were too large, which journeys may have missed; the report
warns of them. Where no journey found anything, it also checks that the window holds an audit record that searches can
read. If not, `close` fails, and an alert says whether there are no records, none with `log_type=audit`, or none whose
text is the audit event as JSON.

A source that is found silent stays so until it was searched again: once it is repaired, clear `search` with its
downstream tasks.

**Fails** as `search` does. Where no journey found anything, `close` then fails as well, because an empty result proves
nothing.
"""

CONVERT = """
Turns results into track events and packs them into batches. What cannot become an event is rejected, with its reason:
that is no failure, and the report counts it. So are results of whom `exclude_users` and `exclude_namespaces` name.

**Fails** if there are no maps: look at `map_users` and `map_workspaces`.
"""

DELIVER = """
Sends a group of batches to Segment, and keeps the outcome of each.

**Fails** at once for a write key or an address that Segment refuses, and for an answer that would be the same another
time: check the connection `segment_default`. It fails after its retries if Segment did not take all; what was not taken
lies in staging. Clear the task to send just that.
"""

CLOSE = """
Counts the books from what lies in staging, and writes the report.

**Fails** unless everything found was sent or rejected for a reason, and not all of a journey's results were rejected
(unless `expect_all_rejected` names it). Its log shows the books and what is wrong; mostly the task that caused it is
red as well: repair that one. If the *books do not balance* and no other task is red, keep
the run's folder in staging and open an issue: clearing `convert` would remove what tells why.
"""

EXPIRE = """
Removes what finished runs have staged, after `keep_days`, and their reports after `keep_reports_days`. It never touches
a run in progress, and nothing waits for it.

**Fails** if staging cannot be listed, read or written: the message says which. The next run's removes what it has left.
"""

REDRIVE = """
Sends again what closed runs of `segment_bridge` have left behind: undelivered events, and rejected results whose user
or namespace has appeared in the maps since. The maps are made from the clusters, as they are now. Afterwards the
books of each of these runs are counted anew. Nothing is redriven twice.

*Trigger* opens a form: which runs, or a span that their windows overlap (by default, all that lie in staging), and
whether only to say what would be sent.

* Its log has a line for each run that had something, and a warning where events are older than the 24 hours for which
  Segment recognizes repeats.
* A run that was red stays red in the web UI; what counts is its report, which then has no problem left. If it was a
  scheduled one, the next run need not reach back to it.
* **It fails** if events are still undelivered after its retries, or Segment refuses some for good; at once for a write
  key, an address or a cluster that wants correcting. What was sent by then is recorded. Trigger it again.
"""

DOCTOR = """
Checks what a run needs, and says in its log what to do about what is not right: that Splunk is there, takes the
credentials, finds audit records and extracts what lies deep in large ones; that both maps can be made from the
clusters; that Segment answers; that staging can be written. Nothing is sent but a batch without events. It does not
check the pools, the connection of the alerts, the rights for `publish_namespace` and for Splunk's KV store, or the
settings of Splunk's `limits.conf` that hide messages (docs/airflow.md lists them).

*Trigger* it before the first run, after a change of connections or of the Variable, and after a bad run.

**It fails** if a check does, after all of them were made. No answer of Segment proves the write key: look into
Segment's debugger as well.
"""
