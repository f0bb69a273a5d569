# A search's answer to track events, with the maps and the tables of names given by --slurpfile.
# Run with -r: each event is printed to text once, for its size and as output.
def object: (try fromjson catch null) | objects;

select(.preview | not) | .result | objects
| $users[0][$workspaces[0][.namespace // empty] // empty] as $workspace
| select($workspace)
| (if .userId == null then $workspace else $users[0][.userId] end) as $user
| select($user)
| {
    messageId,
    timestamp,
    namespace,
    type: (.type // "track"),
    userId: $user,
    event: (
      .event
      // ($names[0].subjects[.event_subject] // .event_subject) + " " + ($names[0].verbs[.event_verb] // .event_verb)
    ),
    properties: (.properties | object | .workspaceID = $workspace),
    context: (.context | object)
  }
| select(.messageId and .timestamp and (.messageId | length) < 100)
| tojson
| select(utf8bytelength <= 32000)
