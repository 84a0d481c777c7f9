import { createCache } from 'async-cache-dedupe'

/** Milliseconds: what is older is asked again. A change must hold everywhere after 2 s. */
const keptFor = 1_900

/** Seconds, whole ones: the library's clock is coarse, so `keptFor` decides. */
const storedFor = 2

/**
 * Remembers what `load` gave for a moment and asks only once for all who ask at the same time. What is not found
 * is not kept, and neither is an error, which everybody who waits for it gets.
 * @param size the number of answers kept; the one unused for longest goes first
 */
export function shortCache<Found>(
  load: (key: string) => Promise<Found | undefined>,
  size: number,
): (key: string) => Promise<Found | undefined> {
  const cache = createCache({ storage: { type: 'memory', options: { size } } }).define(
    'answer',
    { ttl: (answer: Answer<Found>) => (answer.found === undefined ? 0 : storedFor) },
    async (key: string): Promise<Answer<Found>> => {
      const askedAt = performance.now()
      return { askedAt, found: await load(key) }
    },
  )
  return async (key) => {
    const answer = await cache.answer(key)
    if (performance.now() - answer.askedAt <= keptFor) return answer.found
    await cache.clear('answer', key)
    return (await cache.answer(key)).found
  }
}

interface Answer<Found> {
  /** Before the database was asked: a change that it did not see can only be younger. */
  readonly askedAt: number
  readonly found: Found | undefined
}
