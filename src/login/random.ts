import { randomFillSync } from 'node:crypto'

/** Bytes. One call for many values: each call costs as much as the rest of what a login derives. */
const pool = Buffer.alloc(4_096)
let used = pool.length

/**
 * Cryptographically random bytes, each given out once.
 * @param length at most 64
 */
export function randomPart(length: number): Buffer {
  if (used + length > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const part = Buffer.from(pool.subarray(used, used + length))
  pool.fill(0, used, used + length)
  used += length
  return part
}

/** Random bytes in base64url. @param length bytes, at most 64 */
export function randomText(length: number): string {
  return randomPart(length).toString('base64url')
}
