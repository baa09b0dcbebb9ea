/**
 * What a test opened and has to be closed after it, last first. A test file says `afterEach(cleanUp)`.
 */
const open: (() => Promise<unknown> | void)[] = [];

export function onCleanUp(close: () => Promise<unknown> | void): void {
  open.push(close);
}

export async function cleanUp(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
}
