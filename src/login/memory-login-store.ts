import type { Answer, Login } from './login.ts'
import type { Claim, LoginStore } from './login-store.ts'

interface Row {
  readonly login: Login
  answer?: Answer
  claimedAt?: Date
  expiresAt: number
}

/** Seconds that a claimed record is kept. */
const claimedTtl = 120

/** Records at most: an abandoned development server does not grow for ever. */
const capacity = 100_000

/**
 * Logins in this process's memory, for development: gone with the process and shared with no other. Strict mode
 * never uses it.
 */
export function createMemoryLoginStore(): LoginStore {
  const rows = new Map<string, Row>()

  const living = (state: string): Row | undefined => {
    const row = rows.get(state)
    if (row === undefined || row.expiresAt > Date.now()) return row
    rows.delete(state)
    return undefined
  }

  return {
    async start(state, login, ttlSeconds) {
      for (const [oldest, row] of rows) {
        if (row.expiresAt > Date.now() && rows.size < capacity) break
        rows.delete(oldest)
      }
      rows.set(state, { login, expiresAt: Date.now() + ttlSeconds * 1000 })
    },
    async find(state) {
      const row = living(state)
      return row && { login: row.login, ...(row.answer && { answer: row.answer }) }
    },
    async answer(state, answer, codeTtlSeconds) {
      const row = living(state)
      if (row === undefined || row.claimedAt !== undefined) return 'gone'
      if (row.answer?.kind === 'code')
        return answer.kind === 'code' && answer.codeDigest === row.answer.codeDigest ? 'kept' : 'conflict'
      row.answer = answer
      if (answer.kind === 'code') row.expiresAt = Date.now() + codeTtlSeconds * 1000
      return 'kept'
    },
    async claim(state): Promise<Claim | undefined> {
      const row = living(state)
      if (row === undefined) return undefined
      const now = new Date()
      if (row.claimedAt !== undefined) return { won: false, at: row.claimedAt, now }
      row.claimedAt = now
      row.expiresAt = now.getTime() + claimedTtl * 1000
      return { won: true, at: now, now }
    },
    async release(state, ttlSeconds) {
      const row = living(state)
      if (row === undefined) return
      delete row.claimedAt
      row.expiresAt = Date.now() + ttlSeconds * 1000
    },
  }
}
