/** Vectors that follow from a point's id, so that anyone can tell what a search must find. */
export const VECTOR_SIZE = 8;

/** A unit vector with no two ids alike (splitmix32 per component). */
export function vectorFor(id: number): number[] {
  const raw: number[] = [];
  let state = Math.imul(id ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  for (let i = 0; i < VECTOR_SIZE; i += 1) {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    raw.push(((z ^ (z >>> 15)) >>> 0) / 0xffffffff - 0.5);
  }
  const length = Math.hypot(...raw) || 1;
  return raw.map((value) => Number((value / length).toFixed(6)));
}
