import { createCache } from 'async-cache-dedupe'

/**
 * Remembers what `load` gave for a moment and asks only once for all who ask at the same time. What is not found
 * is not kept, and neither is an error, which everybody who waits for it gets.
 * @param options.size the number of answers kept; the one unused for longest goes first
 * @param options.keptFor milliseconds: what is older is asked again
 */
export function shortCache<Found>(
  load: (key: string) => Promise<Found | undefined>,
  { size, keptFor }: { readonly size: number; readonly keptFor: number },
): (key: string) => Promise<Found | undefined> {
  // Seconds, whole ones: the library's clock is coarse, so `keptFor` decides.
  const storedFor = Math.ceil(keptFor / 1000)
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
