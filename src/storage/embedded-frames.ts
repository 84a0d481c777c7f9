import type { TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'

// PostgreSQL, 54.7 "Message Formats": the messages with which a client may begin a connection.
const protocol3 = 196_608
const cancelRequest = 80_877_102
const sslRequest = 80_877_103
// Bind, Close, Describe, Execute, Flush, FunctionCall, Parse, Query, Sync, Terminate. The password message is missing: no
// password is ever requested, and one would send PGlite into an endless loop. So are the messages of COPY FROM STDIN,
// after which pglite-socket never finds the start of a message again.
const types = new Set('BCDEHFPQSX')
const copyIn = /\bcopy\b[^;]*\bfrom\s+stdin\b/i

/** Bytes. PostgreSQL itself refuses longer start-up packets; messages of the service are far below the other limit. */
const maxStartUp = 10_000
const maxMessage = 64 * 1024 * 1024

/** These bytes do not come from a client of PostgreSQL. */
export class ForeignBytes extends Error {
  override readonly name = 'ForeignBytes'
}

/**
 * Passes on whole messages of a client of PostgreSQL, and fails at the first byte that cannot belong to one. Otherwise an
 * unknown message would send PGlite into an endless loop, and a negative length pglite-socket.
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

  /** How many of the bytes that are held are whole messages. */
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
      ? length > 8 && length <= maxStartUp
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
  if (length < 4 || length > maxMessage) throw new ForeignBytes('No message has this length.')
  return 1 + length
}

/** Whether these are pairs of a name and a value, among them `user`; anything else would crash PGlite's process. */
function isParameters(bytes: Buffer): boolean {
  const text = bytes.toString('utf8')
  return /^([^\0\ufffd]+\0[^\0\ufffd]*\0)+\0$/.test(text) && /(^|\0)user\0[^\0]/.test(text)
}
