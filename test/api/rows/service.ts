/**
 * What the rows of the security list are sent to: one node, on its own or of a cluster. A row is a name and a request
 * with what must come of it; whether the service is well afterwards is asked by the test that runs it.
 */
import type { ApiLimits } from "../../../api/rules.js";
import type { Client } from "../behaviour/client.js";
import { exchangeRaw, type RawAnswer } from "../raw-http.js";

export interface Service {
  readonly port: number;
  /** Speaks to the same node. */
  readonly http: Client;
  /** As configured there. A request is given up after 400 ms. */
  readonly limits: Pick<ApiLimits, "bodyBytesMax" | "bodyBytesSoft">;
  readonly requestsPerSocketMax: number;
  /** Requests that wait on this node. */
  readonly waitCount: () => Promise<number>;
}

export interface Row {
  readonly name: string;
  readonly run: (service: Service) => Promise<void>;
}

/** One row for each item of a table. */
export function rowsOf<Rest extends readonly unknown[]>(
  name: (item: string) => string,
  items: readonly (readonly [name: string, ...rest: Rest])[],
  run: (service: Service, name: string, ...rest: Rest) => Promise<void>,
): Row[] {
  return items.map(([item, ...rest]) => ({ name: name(item), run: (service) => run(service, item, ...rest) }));
}

export const raw = ({ port }: Service, request: string | readonly string[]): Promise<RawAnswer> =>
  exchangeRaw(port, request);

export const host = "Host: x\r\n";
export const json = "Content-Type: application/json\r\n";
export const last = "Connection: close\r\n\r\n";
