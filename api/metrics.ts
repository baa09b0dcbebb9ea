/**
 * Metrics of the API. Labels come from closed sets: route patterns, methods, error codes; never IDs.
 */
import { Counter, Histogram } from "prom-client";
import type { Registry } from "prom-client";

export interface ApiMetrics {
  /** Counts and times one answered request. `code` is `ok` or an error code. */
  readonly observe: (labels: { route: string; method: string; code: string }, seconds: number) => void;
  readonly softLimit: Counter;
}

/** Waits are part of the time: the upper buckets are long-polls. */
const buckets = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];

export function createApiMetrics(registry: Registry): ApiMetrics {
  const registers = [registry];
  const seconds = new Histogram({
    name: "slct_http_request_seconds",
    help: "From the headers of a request to its answer, waits included",
    labelNames: ["route", "method"] as const,
    buckets,
    registers,
  });
  const answers = new Counter({
    name: "slct_http_answers_total",
    help: "Answers by error code; ok for all that are none",
    labelNames: ["route", "method", "code"] as const,
    registers,
  });
  const softLimit = new Counter({
    name: "slct_http_soft_limit_total",
    help: "Bodies above the soft limit that were accepted",
    registers,
  });
  return {
    observe: ({ route, method, code }, elapsed) => {
      seconds.observe({ route, method }, elapsed);
      answers.inc({ route, method, code });
    },
    softLimit,
  };
}
