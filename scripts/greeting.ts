/**
 * What `npm start` and `npm run dev` print: the first commands to try. Each of them works as it stands.
 */

/** @param apis base URLs of the nodes, at least one */
export function greeting(apis: readonly string[], data: string): string {
  const [first = "", second = first, third = second] = apis;
  return `
slct is running: ${apis.join("  ")}
Data: ${data}. Stop: Ctrl-C.

A process that waits for a payment, or for an hour at most:

  curl -X PUT ${first}/state/order-17 -H 'content-type: application/json' -d '{
    "Data": {"amount": 42}, "Selects": [{"ID": "1", "Cases": [
      {"Op": "recv", "Chan": "payments"}, {"Op": "time", "After": "1h"}]}]}'

Send it one, through another node:

  curl -X POST ${second}/channel/payments/send -H 'content-type: application/json' -d '{"Data": "paid"}'

Take the process that was woken, with its result and its Lock:

  curl '${third}/state/poll?prefix=order&wait=10'

Put it back with that Lock, here without further selects: it is done.

  curl -X PUT ${first}/state/order-17 -H 'content-type: application/json' -d '{"Lock": "…", "Data": {"paid": true}}'

All of it, played with real processes: npm run tour
`;
}
