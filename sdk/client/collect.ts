/**
 * Removes what processes leave behind: the records of their closed channels.
 *
 * A result, a cancellation, a settled promise is a closed channel, and a closed channel stays: whoever comes later is to
 * get its value, and whoever closes it again is to be told. That is over when the process itself is forgotten.
 */
import type { ChannelCalls } from "./channels.js";
import { isSlctError } from "./errors.js";
import { ownerOf, prefixOf } from "./names.js";
import type { StateCalls } from "./states.js";

/** Options of `client.collect`. */
export interface CollectOptions {
  readonly signal?: AbortSignal;
  /** Is told now and then how many were looked at. */
  readonly onProgress?: (looked: number) => void;
}

const pageMax = 1000;

export type CollectCalls = ReturnType<typeof collectCalls>;

export function collectCalls(calls: StateCalls & ChannelCalls) {
  return {
    /**
     * Deletes the idle channels of processes of this name whose state is gone: ended, and past the retention time. One
     * request at a time, one or two for each process that is found.
     * @returns how many were deleted
     */
    async collect(name: string, { signal, onProgress }: CollectOptions = {}): Promise<number> {
      const options = signal === undefined ? {} : { signal };
      let [owner, isGone, looked, deleted] = ["", false, 0, 0];
      for await (const { Chan, Senders, Receivers, Values } of calls.channels({
        prefix: prefixOf(name),
        limit: pageMax,
        ...options,
      })) {
        looked += 1;
        if (looked % pageMax === 0) onProgress?.(looked);
        const id = ownerOf(Chan);
        if (id === undefined || Senders + Receivers + Values > 0) continue;
        // Channels come in the order of their names: those of one process mostly behind each other.
        if (id !== owner) [owner, isGone] = [id, !(await calls.hasState(id, options))];
        if (isGone && (await remove(Chan))) deleted += 1;
      }
      return deleted;

      /** Somebody may have begun to wait there, or have deleted it. */
      async function remove(chan: string): Promise<boolean> {
        try {
          await calls.deleteChannel(chan, options);
          return true;
        } catch (error) {
          if (isSlctError(error, "busy", "not_found")) return false;
          throw error;
        }
      }
    },
  };
}
