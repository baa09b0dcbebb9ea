/**
 * What a node may be configured to refuse: the limits of protocol §8 and the guard of callback addresses.
 */

export interface ApiLimits {
  /** Hard limit of a request body. */
  readonly bodyBytesMax: number;
  /** Beyond it a body is accepted with a warning. */
  readonly bodyBytesSoft: number;
  readonly idBytesMax: number;
  readonly jsonDepthMax: number;
  /** Values in one body, containers included. */
  readonly jsonValuesMax: number;
  /** Selects of one state. */
  readonly selectsMax: number;
  /** Cases of one select. */
  readonly casesMax: number;
  readonly headersMax: number;
  readonly headerBytesMax: number;
  /** A request has to be here whole within this time. */
  readonly receiveTimeoutMs: number;
}

export const defaultLimits: ApiLimits = {
  bodyBytesMax: 4 * 1024 * 1024,
  bodyBytesSoft: 1024 * 1024,
  idBytesMax: 512,
  jsonDepthMax: 64,
  jsonValuesMax: 50_000,
  selectsMax: 1024,
  casesMax: 1024,
  headersMax: 100,
  headerBytesMax: 16 * 1024,
  receiveTimeoutMs: 15_000,
};

/** What the translators need to know. */
export interface Rules {
  readonly limits: ApiLimits;
  /** @throws SlctError `callback_blocked` when the address may not be called */
  readonly checkCallback: (uri: string) => void;
}
