import type { TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'

// PostgreSQL, 54.7 "Message Formats": what a client may begin a connection with.
const protocol3 = 196_608
const cancelRequest = 80_877_102
const sslRequest = 80_877_103
// Bind, Close, Describe, Execute, Flush, FunctionCall, Parse, Query, Sync, Terminate. No password: none is ever asked for,
// and PGlite turns for ever over one. No CopyData either: pglite-socket loses its place after COPY FROM STDIN, for good.
const types = new Set('BCDEHFPQSX')
const copyIn = /\bcopy\b[^;]*\bfrom\s+stdin\b/i

/** Bytes. PostgreSQL itself refuses a longer start-up packet; a statement of ours is never near the other. */
const longestStartUp = 10_000
const longestMessage = 64 * 1024 * 1024

/** These bytes are no client of PostgreSQL. */
export class ForeignBytes extends Error {
  override readonly name = 'ForeignBytes'
}

/**
 * Passes on whole messages of a client of PostgreSQL, and fails at the first byte that cannot belong to one. Without
 * it PGlite turns for ever over an unknown message, and pglite-socket over a negative length.
 */
export class ClientFrames extends Transform {
  #held: Buffer = Buffer.alloc(0)
  #started = false

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    try {
      const whole = this.#wholeMessages()
      if (whole > 0) this.push(this.#held.subarray(0, whole))
      this.#held = this.#held.subarray(whole)
      done()
    } catch (error) {
      done(error instanceof Error ? error : new ForeignBytes(String(error)))
    }
  }

  /** How many of the bytes at hand are whole messages. */
  #wholeMessages(): number {
    for (let from = 0; ; ) {
      const rest = this.#held.subarray(from)
      const length = this.#started ? messageLength(rest) : startUpLength(rest)
      if (length === undefined || rest.length < length) return from
      if (
        this.#started &&
        'QP'.includes(String.fromCharCode(rest[0] ?? 0)) &&
        copyIn.test(rest.toString('latin1', 5, length))
      )
        throw new ForeignBytes('COPY FROM STDIN is not for the embedded database.')
      if (!this.#started && rest.readInt32BE(4) === protocol3) {
        if (!isParameters(rest.subarray(8, length))) throw new ForeignBytes('These are no parameters.')
        this.#started = true
      }
      from += length
    }
  }
}

function startUpLength(bytes: Buffer): number | undefined {
  if (bytes.length < 8) return undefined
  const [length, code] = [bytes.readInt32BE(0), bytes.readInt32BE(4)]
  const fits =
    code === protocol3
      ? length > 8 && length <= longestStartUp
      : (code === sslRequest && length === 8) || (code === cancelRequest && length === 16)
  if (!fits) throw new ForeignBytes('This is no start of a connection.')
  return length
}

function messageLength(bytes: Buffer): number | undefined {
  const [type] = bytes
  if (type !== undefined && !types.has(String.fromCharCode(type)))
    throw new ForeignBytes('There is no message of this type.')
  if (bytes.length < 5) return undefined
  const length = bytes.readInt32BE(1)
  if (length < 4 || length > longestMessage) throw new ForeignBytes('No message has this length.')
  return 1 + length
}

/** Pairs of a name and a value, `user` among them; over anything else PGlite's process breaks down. */
function isParameters(bytes: Buffer): boolean {
  const text = bytes.toString('utf8')
  return /^([^\0\ufffd]+\0[^\0\ufffd]*\0)+\0$/.test(text) && /(^|\0)user\0[^\0]/.test(text)
}
