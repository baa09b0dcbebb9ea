#!/usr/bin/env bash
# The serving half of the tour's ping-pong: an slct process in bash and curl.
#
# In Go:  for i := 1; i <= rounds; i++ { ping <- i; sum += <-pong }; close(ping)
#
# All that it knows is in the state: it may be killed at any point and started again. Every request may be repeated: a
# put-back carries its Lock and a Request-Id, so a lost answer loses nothing and doubles nothing.
#
# Environment: BASES, the base URLs of the nodes, separated by spaces; ROUNDS.
set -uo pipefail

state=tour-ping
read -ra nodes <<<"$BASES"
turn=0
declare -A reported=()

# request METHOD PATH [BODY REQUEST_ID]: asks one node after the other until one gives an answer: $status and $body.
request() {
  local options=(-sS --max-time 40 -X "$1" -w '\n%{http_code}') answer tries base
  if [ $# -gt 2 ]; then options+=(-H 'content-type: application/json' -H "request-id: $4" --data-binary "$3"); fi
  for ((tries = 1; tries < 300; tries++)); do
    turn=$(((turn + 1) % ${#nodes[@]}))
    base=${nodes[turn]}
    if answer=$(curl "${options[@]}" "$base$2" 2>&1); then
      status=${answer##*$'\n'}
      body=${answer%$'\n'*}
      # 503: nothing happened. 504: perhaps it did. Either way the same request again is right.
      if [ "$status" != 503 ] && [ "$status" != 504 ]; then return; fi
    else
      status=${answer%% after *}
    fi
    # Told once per node.
    if [ -z "${reported[$base $status]-}" ]; then echo "$base: $status; trying the next node"; fi
    reported[$base $status]=1
    if ((tries % ${#nodes[@]} == 0)); then sleep 0.2; fi
  done
  echo "no node answers"
  exit 1
}

# field NAME TEXT: the number or string that stands after the name.
field() {
  [[ $2 =~ \"$1\":\"?([^\",}]*) ]] && echo "${BASH_REMATCH[1]}"
}

send_case() {
  echo "[{\"ID\": \"1\", \"Cases\": [{\"Op\": \"send\", \"Chan\": \"tour-ping\", \"Data\": $1}]}]"
}

receive='[{"ID": "1", "Cases": [{"Op": "recv", "Chan": "tour-pong"}]}]'

request PUT "/state/$state" "{\"Data\": {\"Round\": 1, \"Sum\": 0}, \"Selects\": $(send_case 1)}" "$state-create"
if [ "$status" != 200 ] && [ "$status" != 201 ]; then
  echo "could not create the state: $body"
  exit 1
fi

held=
while true; do
  if [ -z "$held" ]; then
    request GET "/state/poll?prefix=$state&wait=20&lease=5"
    if [ "$body" = '[]' ]; then continue; fi
    held=$body
  fi
  data=${held#*'"Data":{'} && data=${data%%'}'*}
  result=${held#*'"Results":['} && result=${result%%']'*}
  round=$(field Round "$data")
  sum=$(field Sum "$data")
  extra=
  wait='?wait=20&lease=5'
  if [ "$(field Op "$result")" = 2 ]; then
    selects=$receive
  else
    sum=$((sum + $(field Data "$result")))
    if [ "$round" -lt "$ROUNDS" ]; then
      round=$((round + 1))
      selects=$(send_case "$round")
    else
      selects='[]'
      extra=', "Close": ["tour-ping"]'
      wait=
    fi
  fi
  request PUT "/state/$state$wait" \
    "{\"Lock\": \"$(field Lock "$held")\", \"Data\": {\"Round\": $round, \"Sum\": $sum}, \"Selects\": $selects$extra}" \
    "$state-$(field Version "$held")"
  held=
  case $status in
    200)
      if [ "$(field Status "$body")" = 'done' ]; then
        echo "done after $round rounds, sum $sum"
        exit 0
      fi
      # Woken within the wait: the answer is the state, handed out again. Otherwise, or if the lease is lost: poll.
      if [ -n "$(field Lock "$body")" ]; then held=$body; fi
      ;;
    409) ;;
    *)
      echo "refused: $body"
      exit 1
      ;;
  esac
done
