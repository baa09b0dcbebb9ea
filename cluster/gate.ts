/**
 * Several who share something, or one who has it alone. Who comes first goes first, so nobody waits for ever.
 */
interface Waiting {
  readonly isAlone: boolean;
  readonly enter: () => void;
}

export class Gate {
  #sharing = 0;
  #isTaken = false;
  readonly #waiting: Waiting[] = [];

  /** Begins at once when nobody has it alone or waits to. */
  share<T>(use: () => Promise<T>): Promise<T> {
    return this.#pass(false, use);
  }

  alone<T>(use: () => Promise<T>): Promise<T> {
    return this.#pass(true, use);
  }

  async #pass<T>(isAlone: boolean, use: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#hasRoom(isAlone)) this.#take(isAlone);
    else await new Promise<void>((enter) => this.#waiting.push({ isAlone, enter }));
    try {
      return await use();
    } finally {
      if (isAlone) this.#isTaken = false;
      else this.#sharing--;
      this.#admit();
    }
  }

  #hasRoom(isAlone: boolean): boolean {
    return !this.#isTaken && (!isAlone || this.#sharing === 0);
  }

  #take(isAlone: boolean): void {
    if (isAlone) this.#isTaken = true;
    else this.#sharing++;
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(next.isAlone); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#take(next.isAlone);
      next.enter();
    }
  }
}
