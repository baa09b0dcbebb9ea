/**
 * JSON text under construction: pieces of text beside raw bytes, joined once. So the user's data goes out without being
 * decoded, copied twice or printed again.
 */
export type Chunk = string | Uint8Array;

/** UTF-8 of all pieces in order. */
export function joinChunks(chunks: readonly Chunk[]): Buffer {
  let length = 0;
  for (const chunk of chunks) length += typeof chunk === "string" ? Buffer.byteLength(chunk) : chunk.length;
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (const chunk of chunks) {
    if (typeof chunk === "string") at += out.write(chunk, at);
    else {
      out.set(chunk, at);
      at += chunk.length;
    }
  }
  return out;
}

/** `[a,b,c]` of pieces that are complete values. */
export function listChunks(items: readonly (readonly Chunk[])[]): Chunk[] {
  const out: Chunk[] = ["["];
  items.forEach((item, i) => {
    if (i > 0) out.push(",");
    out.push(...item);
  });
  out.push("]");
  return out;
}
