/**
 * How members are named and where they are: checked where an operator writes them, on the command line and in a request.
 */

export const memberIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** `host:port`, `[v6]:port` */
export function isPeerAddress(text: string): boolean {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  return /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})$/.test(host) && Number(port) > 0 && Number(port) <= 65_535;
}

/** The base of the API without its last slashes; undefined if it is none. */
export function baseUrl(text: string): string | undefined {
  return /^https?:\/\//.test(text) && text.length <= 1024 && URL.canParse(text) ? text.replace(/\/+$/, "") : undefined;
}
